// Any bytes as spiece.model; a tokeniser that comes of them is used on a text that tries each of its parts.
#include <cstdint>
#include <string_view>
#include <vector>

#include "common/tokenizer/spiece_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto tokenizer =
      sida::tokenizer::read_spiece_model(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!tokenizer) {
    SIDA_CHECK(tokenizer.error().code == sida::ErrorCode::kInvalidModel);
    return 0;
  }
  const auto ids = (*tokenizer)->encode("the \u00bd  cat\u0301s <extra_id_0> \xff \ufb01\uff21\n</s> ", true);
  for (const std::int32_t id : ids) {
    SIDA_CHECK(id >= 0 && id < (*tokenizer)->vocab_size());
  }
  static_cast<void>((*tokenizer)->decode(ids, false));
  static_cast<void>((*tokenizer)->decode(ids, true));
  return 0;
}

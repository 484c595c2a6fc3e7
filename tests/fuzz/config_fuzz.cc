// Any bytes as config.json and, behind a zero byte, as generation_config.json; and as the index of shards.
#include <cstdint>
#include <string_view>

#include "common/model/model_config.h"
#include "common/model/shard_index.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sida::model;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = text.find('\0');
  const auto model = parse_model_config(text.substr(0, cut), cut == text.npos ? "" : text.substr(cut + 1));
  if (model) {
    SIDA_CHECK(model->config.d_model > 0 && model->config.num_experts > 0 && !model->config.eos_token_ids.empty());
    SIDA_CHECK(model->config.pad_token_id >= 0 && model->config.pad_token_id < model->config.vocab_size);
  } else {
    SIDA_CHECK(model.error().code == sida::ErrorCode::kInvalidModel);
  }
  if (const auto index = parse_shard_index(text)) {
    for (const auto& [tensor, file] : index->file_of) {
      SIDA_CHECK(index->files.contains(file) && file.find('/') == file.npos);
    }
  }
  return 0;
}

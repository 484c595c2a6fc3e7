// Any bytes as tokenizer.json; a tokeniser that comes of them is used on a text that tries each of its parts.
#include <cstdint>
#include <string_view>

#include "common/tokenizer/tokenizer_json.h"
#include "tests/fuzz/use_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sida::test::use_tokenizer(
      sida::tokenizer::read_tokenizer_json(std::string_view(reinterpret_cast<const char*>(data), size)));
  return 0;
}

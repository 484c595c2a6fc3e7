// Any bytes as a prompt, for pipelines that differ: the ids are tokens, and decoding them gives text.
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "common/tokenizer/tokenizer_json.h"
#include "common/tokenizer/utf8.h"

namespace {

using sida::tokenizer::Tokenizer;

std::vector<std::unique_ptr<Tokenizer>> load() {
  std::vector<std::unique_ptr<Tokenizer>> tokenizers;
  for (const char* name : {"t5_first.json", "first_word.json", "byte_fallback.json"}) {
    std::ifstream stream(std::string(SIDA_SOURCE_DIR) + "/tests/golden/tokenizer/" + name, std::ios::binary);
    std::ostringstream bytes;
    bytes << stream.rdbuf();
    auto tokenizer = sida::tokenizer::read_tokenizer_json(bytes.str());
    SIDA_CHECK(tokenizer.has_value());
    tokenizers.push_back(*std::move(tokenizer));
  }
  return tokenizers;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto tokenizers = load();
  for (const auto& tokenizer : tokenizers) {
    const auto ids = tokenizer->encode(std::string_view(reinterpret_cast<const char*>(data), size), true);
    for (const std::int32_t id : ids) {
      SIDA_CHECK(!tokenizer->token(id).empty());
    }
    SIDA_CHECK(sida::tokenizer::is_valid_utf8(tokenizer->decode(ids, false)));
  }
  return 0;
}

#include "router/http/growing_text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <sstream>

#include "common/tokenizer/tokenizer_json.h"

namespace sida::router {
namespace {

// What a whole decoding after each token gives, for random tokens: runs of bytes, blanks and words alike.
TEST(GrowingText, IsTheTextOfAllTokensAfterEachOfThem) {
  for (const char* file : {"t5", "t5_first", "byte_fallback", "first_word", "metaspace_legacy", "whitespace_split"}) {
    SCOPED_TRACE(file);
    std::ifstream stream(std::string(SIDA_SOURCE_DIR) + "/tests/golden/tokenizer/" + file + ".json");
    std::ostringstream bytes;
    bytes << stream.rdbuf();
    const auto tokenizer = tokenizer::read_tokenizer_json(bytes.str());
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    const ServedModel model{"x", tokenizer->get(), (*tokenizer)->vocab_size(), 0, {1}};
    std::mt19937 random(7);
    std::uniform_int_distribution<std::int32_t> any_id(0, (*tokenizer)->vocab_size() - 1);
    std::uniform_int_distribution<int> run(1, 6);
    for (int sequence = 0; sequence < 50; ++sequence) {
      GrowingText text(model);
      std::vector<std::int32_t> ids;
      while (ids.size() < 40) {
        // Neighbours in the vocabulary are alike, so that runs of one kind occur.
        const std::int32_t first = any_id(random);
        for (int left = run(random); left > 0; --left) {
          ids.push_back(std::min(first + left, (*tokenizer)->vocab_size() - 1));
          ASSERT_EQ(text.add(ids.back()), decode_text(model, ids));
        }
      }
    }
  }
}

}  // namespace
}  // namespace sida::router

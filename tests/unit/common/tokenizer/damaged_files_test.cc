// Whatever the bytes of a file are: an error or a tokeniser that works, never a crash.
#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "common/tokenizer/spiece_model.h"
#include "common/tokenizer/tokenizer_json.h"

namespace sida::tokenizer {
namespace {

constexpr int kMutations = 400;

std::string fixture(const std::string& name) {
  std::ifstream stream(std::string(SIDA_SOURCE_DIR) + "/tests/golden/tokenizer/" + name, std::ios::binary);
  std::ostringstream bytes;
  bytes << stream.rdbuf();
  return bytes.str();
}

std::string mutated(std::string bytes, std::mt19937& random) {
  const auto below = [&](std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
  };
  switch (below(4)) {
    case 0:
      bytes.resize(below(bytes.size()));
      break;
    case 1:  // Huge counts and lengths.
      bytes.replace(below(bytes.size() - 4), 4, std::string(4, '\xff'));
      break;
    case 2: {
      const std::size_t begin = below(bytes.size());
      bytes.insert(below(bytes.size()), bytes.substr(begin, 1 + below(40)));
      break;
    }
    default:
      for (std::size_t i = 1 + below(4); i > 0; --i) {
        bytes[below(bytes.size())] ^= static_cast<char>(1 << below(8));
      }
  }
  return bytes;
}

void use(const Tokenizer& tokenizer) {
  std::string text = "the \u00bd cat\u0301s <extra_id_0> \xff \ufb01\uff21 day </s>";
  for (const std::int32_t id : tokenizer.encode(text, true)) {
    EXPECT_GE(id, 0);
    EXPECT_LT(id, tokenizer.vocab_size());
  }
  std::vector<std::int32_t> ids(static_cast<std::size_t>(tokenizer.vocab_size()) + 2);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<std::int32_t>(i) - 1;
  }
  EXPECT_FALSE(tokenizer.decode(ids, false).empty());
}

template <typename Reader>
void try_mutations(const std::string& name, Reader&& reader) {
  const std::string bytes = fixture(name);
  ASSERT_TRUE(reader(bytes));
  std::mt19937 random(20);
  int refused = 0;
  for (int i = 0; i < kMutations; ++i) {
    const auto tokenizer = reader(mutated(bytes, random));
    if (tokenizer) {
      use(**tokenizer);
    } else {
      EXPECT_EQ(tokenizer.error().code, ErrorCode::kInvalidModel);
      ++refused;
    }
  }
  EXPECT_GT(refused, kMutations / 4);
}

TEST(DamagedFiles, SpieceModelIsRefusedOrWorks) {
  try_mutations("spiece.model", read_spiece_model);
}

TEST(DamagedFiles, TokenizerJsonIsRefusedOrWorks) {
  for (const char* name : {"t5.json", "byte_fallback.json"}) {
    try_mutations(name, read_tokenizer_json);
  }
}

TEST(DamagedFiles, EveryBeginningOfASpieceModelIsRefusedOrWorks) {
  const std::string bytes = fixture("spiece.model");
  std::size_t refused = 0;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto tokenizer = read_spiece_model(std::string_view(bytes).substr(0, size));
    if (tokenizer) {
      use(**tokenizer);
    } else {
      EXPECT_EQ(tokenizer.error().code, ErrorCode::kInvalidModel);
      ++refused;
    }
  }
  // All but those that end between two fields.
  EXPECT_GT(refused, bytes.size() * 9 / 10);
}

TEST(DamagedFiles, EveryBeginningOfATokenizerJsonIsRefused) {
  const std::string bytes = fixture("byte_fallback.json");
  for (std::size_t size = 0; size <= bytes.rfind('}'); ++size) {
    EXPECT_FALSE(read_tokenizer_json(std::string_view(bytes).substr(0, size))) << size;
  }
}

}  // namespace
}  // namespace sida::tokenizer

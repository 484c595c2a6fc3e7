#include "common/tokenizer/unigram.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace sida::tokenizer {
namespace {

using Ids = std::vector<std::int32_t>;

Unigram model(std::vector<Piece> pieces, bool byte_fallback = false) {
  pieces.insert(pieces.begin(), {"<unk>", 0.0});
  auto made = Unigram::make(std::move(pieces), 0, byte_fallback);
  EXPECT_TRUE(made);
  return *std::move(made);
}

Ids encode(const Unigram& unigram, std::string_view word) {
  Ids ids;
  unigram.encode(word, ids);
  return ids;
}

TEST(Unigram, TakesTheSegmentationOfHighestScore) {
  const auto unigram = model({{"a", 0}, {"b", 0}, {"c", 0}, {"d", 0}, {"cd", 1}, {"ab", 2}, {"abc", 5}, {"abcd", 10}});
  EXPECT_EQ(encode(unigram, "abcdacdab"), (Ids{8, 1, 5, 6}));
}

TEST(Unigram, KeepsTheEarlierPathOfEqualScore) {
  // a|bc is found at the end before ab|c, since paths grow from left to right.
  EXPECT_EQ(encode(model({{"a", -1}, {"bc", -1}, {"ab", -1}, {"c", -1}, {"b", -9}}), "abc"), (Ids{1, 2}));
}

TEST(Unigram, MakesNeighbouringUnknownsOneToken) {
  const auto unigram = model({{"a", -1}});
  EXPECT_EQ(encode(unigram, "xyaz\u00e9"), (Ids{0, 1, 0}));
  EXPECT_EQ(encode(unigram, "x<unk>y"), (Ids{0}));
  EXPECT_EQ(encode(unigram, ""), Ids{});
}

TEST(Unigram, FallsBackToBytesWhereAllExist) {
  const auto unigram = model({{"<0xC3>", -9}, {"<0xA9>", -9}}, true);
  EXPECT_EQ(encode(unigram, "\u00e9"), (Ids{1, 2}));
  EXPECT_EQ(encode(unigram, "\u00e8"), (Ids{0}));
}

TEST(Unigram, LetsTheLastOfEqualPiecesCount) {
  EXPECT_EQ(encode(model({{"a", -1}, {"a", -2}}), "a"), (Ids{2}));
}

TEST(Unigram, RefusesAVocabularyThatCannotWork) {
  EXPECT_FALSE(Unigram::make({}, 0, false));
  EXPECT_FALSE(Unigram::make({{"a", 0}}, 1, false));
  EXPECT_FALSE(Unigram::make({{"a", 0}}, -1, false));
  EXPECT_FALSE(Unigram::make({{"\xff", 0}}, 0, false));
  EXPECT_FALSE(Unigram::make({{"a", std::numeric_limits<double>::quiet_NaN()}}, 0, false));
  EXPECT_FALSE(Unigram::make({{std::string(1025, 'a'), 0}}, 0, false));
}

TEST(PrefixTrie, FindsEveryPrefixShortestFirst) {
  const PrefixTrie trie({{"ab", 1}, {"a", 0}, {"abc\xff", 2}, {"b", 3}, {"", 4}});
  std::vector<std::pair<std::size_t, std::int32_t>> found;
  trie.match("xabc\xff", 1, [&](std::size_t length, std::int32_t value) { found.emplace_back(length, value); });
  EXPECT_EQ(found, (std::vector<std::pair<std::size_t, std::int32_t>>{{1, 0}, {2, 1}, {4, 2}}));
}

}  // namespace
}  // namespace sida::tokenizer

#include "common/tokenizer/grapheme.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sida::tokenizer {
namespace {

std::vector<std::string> clusters(const std::string& text) {
  std::vector<std::string> found;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = grapheme_end(text, begin);
    found.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return found;
}

using Clusters = std::vector<std::string>;

// One case per rule of Unicode Standard Annex 29.
TEST(Grapheme, KeepsCarriageReturnAndLineFeedTogether) {
  EXPECT_EQ(clusters("a\r\n\n\u0301"), (Clusters{"a", "\r\n", "\n", "\u0301"}));
}

TEST(Grapheme, KeepsHangulSyllablesTogether) {
  EXPECT_EQ(clusters("\u1100\u1161\u11a8\uac00\u11a8\uac01\u1161"),
            (Clusters{"\u1100\u1161\u11a8", "\uac00\u11a8", "\uac01", "\u1161"}));
}

TEST(Grapheme, ExtendsByMarksAndPrepends) {
  EXPECT_EQ(clusters("e\u0301x\u0903\u0600a"), (Clusters{"e\u0301", "x\u0903", "\u0600a"}));
}

TEST(Grapheme, JoinsConsonantsByALinker) {
  EXPECT_EQ(clusters("\u0915\u094d\u0937"), (Clusters{"\u0915\u094d\u0937"}));
  EXPECT_EQ(clusters("\u0915\u094d\u200d\u0937"), (Clusters{"\u0915\u094d\u200d\u0937"}));
  EXPECT_EQ(clusters("\u0915\u093c\u0937"), (Clusters{"\u0915\u093c", "\u0937"}));
}

TEST(Grapheme, JoinsPictographsByAJoiner) {
  EXPECT_EQ(clusters("\U0001f468\u200d\U0001f469"), (Clusters{"\U0001f468\u200d\U0001f469"}));
  EXPECT_EQ(clusters("a\u200d\U0001f469"), (Clusters{"a\u200d", "\U0001f469"}));
}

TEST(Grapheme, PairsRegionalIndicators) {
  EXPECT_EQ(clusters("\U0001f1e9\U0001f1ea\U0001f1eb"), (Clusters{"\U0001f1e9\U0001f1ea", "\U0001f1eb"}));
}

}  // namespace
}  // namespace sida::tokenizer

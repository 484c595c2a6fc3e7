#include "common/tokenizer/pre_tokenizer.h"

#include <gtest/gtest.h>

#include <string>

namespace sida::tokenizer {
namespace {

using Words = std::vector<std::string>;

Words words(const std::vector<PreTokenizerStep>& steps, const std::string& text) {
  Words result;
  for (const auto& word : pre_tokenize(steps, NormalizedText::whole(text))) {
    result.push_back(word.bytes);
  }
  return result;
}

TEST(PreTokenizer, WithoutStepsTheTextIsOneWord) {
  EXPECT_EQ(words({}, "a b"), (Words{"a b"}));
  EXPECT_EQ(words({}, ""), Words{});
}

TEST(PreTokenizer, SplitsAtAnyWhiteSpace) {
  EXPECT_EQ(words({WhitespaceSplitStep{}}, "  a\u3000b\n\n"), (Words{"a", "b"}));
}

TEST(PreTokenizer, MetaspaceStartsAWordAtEachMark) {
  EXPECT_EQ(words({MetaspaceStep{"_"}}, "a b  c "), (Words{"_a", "_b", "_", "_c", "_"}));
  EXPECT_EQ(words({MetaspaceStep{"_", PrependScheme::kAlways, false}}, "a b"), (Words{"_a_b"}));
}

TEST(PreTokenizer, MetaspaceDoesNotDoubleAMark) {
  EXPECT_EQ(words({MetaspaceStep{"_"}}, " a"), (Words{"_a"}));
  EXPECT_EQ(words({MetaspaceStep{"_"}}, "_a"), (Words{"_a"}));
}

TEST(PreTokenizer, MetaspacePrependsByItsScheme) {
  const std::vector<PreTokenizerStep> first = {WhitespaceSplitStep{}, MetaspaceStep{"_", PrependScheme::kFirst}};
  EXPECT_EQ(words(first, "a b"), (Words{"_a", "b"}));
  EXPECT_EQ(words(first, " a b"), (Words{"a", "b"}));
  EXPECT_EQ(words({MetaspaceStep{"_", PrependScheme::kNever}}, "a b"), (Words{"a", "_b"}));
}

TEST(PreTokenizer, WordsOfOneByteGrowAsMuchAsItSays) {
  const std::vector<PreTokenizerStep> step = {MetaspaceStep{}};
  EXPECT_EQ(pre_tokenize(step, NormalizedText::whole("x")).front().bytes.size(), 4U);
  EXPECT_EQ(growth(step), 4.0);
  EXPECT_EQ(
      growth(std::vector<PreTokenizerStep>{MetaspaceStep{}, WhitespaceSplitStep{}, MetaspaceStep{.replacement = "a"}}),
      8.0);
}

}  // namespace
}  // namespace sida::tokenizer

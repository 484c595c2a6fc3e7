#include "common/tokenizer/normalizer.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/common/tokenizer/charsmap_builder.h"

namespace sida::tokenizer {
namespace {

NormalizedText after(const std::vector<NormalizerStep>& steps, const std::string& text) {
  auto normalized = NormalizedText::whole(text);
  normalize(steps, normalized);
  return normalized;
}

TEST(Normalizer, StripsTheSidesAskedFor) {
  EXPECT_EQ(after({StripStep{true, false}}, " \u3000a ").bytes, "a ");
  EXPECT_EQ(after({StripStep{false, true}}, " a\u00a0\n").bytes, " a");
  EXPECT_EQ(after({StripStep{true, true}}, "  \t").bytes, "");
}

TEST(Normalizer, ReplacesFromTheLeftWithoutOverlap) {
  EXPECT_EQ(after({ReplaceStep{"aa", "b"}}, "aaaac").bytes, "bbc");
  EXPECT_EQ(after({ReplaceStep{"a", ""}}, "abab").bytes, "bb");
}

TEST(Normalizer, ReplacesOnlyRunsThatAreLongEnough) {
  EXPECT_EQ(after({ReplaceRunStep{' ', 2, "_"}}, " a  b   ").bytes, " a_b_");
  EXPECT_EQ(after({ReplaceRunStep{' ', 1, "_"}}, " a").bytes, "_a");
}

TEST(Normalizer, PrependsToTextOnly) {
  EXPECT_EQ(after({PrependStep{"_"}}, "a").bytes, "_a");
  EXPECT_EQ(after({PrependStep{"_"}}, "").bytes, "");
}

TEST(Normalizer, MapsControlCharactersAndSpaces) {
  EXPECT_EQ(after({NmtStep{}}, "a\x01\tb\u2581\x7f\u0085").bytes, "a b \u0085");
}

TEST(Normalizer, StepsFollowEachOther) {
  EXPECT_EQ(after({ReplaceStep{"a", " "}, StripStep{}}, "aba").bytes, "b");
}

// The part of the alignment that is kept.
TEST(NormalizedText, KnowsWhichBytesStemFromTheFirstCodePoint) {
  EXPECT_EQ(NormalizedText::whole("\u00e9b").head, 2U);
  EXPECT_EQ(after({StripStep{}}, " b").head, 0U);
  EXPECT_EQ(after({PrependStep{"__"}}, "ab").head, 3U);
  EXPECT_EQ(after({ReplaceStep{"a", "xyz"}}, "ab").head, 3U);
  EXPECT_EQ(after({ReplaceStep{"ab", "xyz"}}, "ab").head, 0U);
  const auto map = Charsmap::read(testing::charsmap_bytes({{"a", "xyz"}}));
  ASSERT_TRUE(map);
  EXPECT_EQ(after({std::make_shared<const Charsmap>(*map)}, "ab").head, 3U);
}

TEST(NormalizedText, SlicesStartWhereThePromptStarts) {
  const auto text = NormalizedText::whole("ab");
  EXPECT_TRUE(text.slice(0, 2).at_start);
  EXPECT_FALSE(text.slice(1, 2).at_start);
  EXPECT_EQ(text.slice(0, 2).head, 1U);
}

TEST(Normalizer, GrowthIsTheProductOfItsSteps) {
  EXPECT_EQ(growth({ReplaceStep{"ab", "xxxx"}, ReplaceRunStep{' ', 2, "xxxxxx"}, ReplaceStep{"aa", "b"}}), 6.0);
  EXPECT_EQ(growth({PrependStep{"abc"}, ReplaceStep{" ", "xx"}}), 8.0);
}

}  // namespace
}  // namespace sida::tokenizer

#include "common/tokenizer/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace sida::tokenizer {
namespace {

TEST(Utf8, ReplacesEachMaximalIllFormedPartOnce) {
  // Each as Python's bytes.decode(errors="replace") answers.
  EXPECT_EQ(decode_with_replacement("a\xff z"), "a\uFFFD z");
  EXPECT_EQ(decode_with_replacement("\xe2\x96"), "\uFFFD");
  EXPECT_EQ(decode_with_replacement("\xf0\x9f\x98!"), "\uFFFD!");
  EXPECT_EQ(decode_with_replacement("\xc0\x80"), "\uFFFD\uFFFD");
  EXPECT_EQ(decode_with_replacement("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(decode_with_replacement("\xf4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(decode_with_replacement("\xe0\x80\xf0\x9f\x98\x80"), "\uFFFD\uFFFD\U0001F600");
}

TEST(Utf8, KeepsValidTextAsItIs) {
  const std::string text = std::string("a\0b", 3) + "\u00e9\u2581\U0010FFFF";
  EXPECT_TRUE(is_valid_utf8(text));
  EXPECT_EQ(decode_with_replacement(text), text);
}

TEST(Utf8, EncodesWhatItDecodes) {
  for (const char32_t c : {U'\0', U'\x7f', U'\x80', U'\u07ff', U'\u0800', U'\uffff', U'\U00010000', U'\U0010ffff'}) {
    std::string text = "x";
    append_utf8(text, c);
    EXPECT_EQ(code_point_at(text, 1).value, c);
    EXPECT_EQ(code_point_before(text, text.size()).value, c);
    EXPECT_EQ(code_point_at(text, 1).size, text.size() - 1);
  }
}

TEST(Utf8, KnowsWhiteSpaceAndWordCharacters) {
  EXPECT_TRUE(is_whitespace(U'\u3000'));
  EXPECT_FALSE(is_whitespace(U'\u200b'));
  EXPECT_TRUE(is_word_character(U'\u65e5'));
  EXPECT_TRUE(is_word_character(U'\u0301'));
  EXPECT_FALSE(is_word_character(U'-'));
}

}  // namespace
}  // namespace sida::tokenizer

#include "common/tokenizer/added_tokens.h"

#include <gtest/gtest.h>

#include <string>

namespace sida::tokenizer {
namespace {

Unigram model() {
  auto made = Unigram::make({{"<unk>", 0}, {"</s>", 0}}, 0, false);
  EXPECT_TRUE(made);
  return *std::move(made);
}

Result<AddedTokens> make(std::vector<AddedToken> tokens, const std::vector<NormalizerStep>& normalizer = {}) {
  const Unigram unigram = model();
  for (AddedToken& token : tokens) {
    token.id = -1;
  }
  return AddedTokens::make(std::move(tokens), unigram, normalizer);
}

// The stretches as text, added tokens in brackets.
std::string split(const Result<AddedTokens>& tokens, const std::string& text, bool normalized = false) {
  std::string result;
  for (const Stretch& stretch : tokens->split(text, normalized)) {
    const std::string part = text.substr(stretch.begin, stretch.end - stretch.begin);
    result += stretch.id ? std::string(1, '[').append(part).append("]") : std::string(1, '(').append(part).append(")");
  }
  return result;
}

TEST(AddedTokens, CutTheLongestAtTheLeftmostPlace) {
  const auto tokens = make({{.content = "<a>"}, {.content = "<a><b>"}, {.content = "b>"}});
  EXPECT_EQ(split(tokens, "x<a><b>y<a><c"), "(x)[<a><b>](y)[<a>](<c)");
  EXPECT_EQ(split(tokens, ""), "");
}

TEST(AddedTokens, TakeWhiteSpaceAlongWhereTheySaySo) {
  const auto tokens = make({{.content = "<l>", .left_strip = true}, {.content = "<r>", .right_strip = true}});
  EXPECT_EQ(split(tokens, "a \u3000<l> b"), "(a)[ \u3000<l>]( b)");
  EXPECT_EQ(split(tokens, "a <r>  <l>"), "(a )[<r>  ][<l>]");
}

// With a walk to the end of the white space for each token, this would take an hour.
TEST(AddedTokens, MayBeWhiteSpaceThemselves) {
  const auto tokens = make({{.content = " ", .right_strip = true}});
  EXPECT_EQ(split(tokens, "a   b"), "(a)[   ][  ][ ](b)");
  constexpr std::size_t kSize = std::size_t{4} << 20;
  EXPECT_EQ(tokens->split(std::string(kSize, ' '), false).size(), kSize);
}

TEST(AddedTokens, StandAloneWhereTheySaySo) {
  const auto tokens = make({{.content = "day", .single_word = true}});
  EXPECT_EQ(split(tokens, "day days day."), "[day]( days )[day](.)");
  EXPECT_EQ(split(tokens, "\u00e9day"), "(\u00e9day)");
}

TEST(AddedTokens, AreLookedForInTheirNormalisedForm) {
  const auto tokens = make({{.content = "U.S.", .normalized = true}}, {ReplaceStep{".", ""}});
  EXPECT_EQ(split(tokens, "the US", true), "(the )[US]");
  EXPECT_EQ(split(tokens, "the U.S."), "(the U.S.)");
}

TEST(AddedTokens, GetThePiecesIdOrTheNextFree) {
  const auto tokens = make({{.content = "<x>"}, {.content = "</s>", .special = true}, {.content = "<y>"}});
  EXPECT_EQ(tokens->find("<x>"), 2);
  EXPECT_EQ(tokens->find("</s>"), 1);
  EXPECT_EQ(tokens->find("<y>"), 3);
  EXPECT_TRUE(tokens->is_special("</s>"));
  EXPECT_FALSE(tokens->is_special("<x>"));
}

TEST(AddedTokens, RefuseIdsThatTheVocabularyDoesNotGive) {
  const Unigram unigram = model();
  EXPECT_FALSE(AddedTokens::make({{.content = "</s>", .id = 7}}, unigram, {}));
  EXPECT_FALSE(make({{.content = "a"}, {.content = "a"}}));
  EXPECT_FALSE(make({{.content = ""}}));
  EXPECT_FALSE(make({{.content = " ", .normalized = true}}, {StripStep{}}));
}

TEST(AddedTokens, RefuseToTakeMoreMemoryThanTheirLimit) {
  std::vector<AddedToken> tokens;
  for (int i = 0; i < 9; ++i) {
    tokens.push_back({.content = std::string(1023, 'x') + std::to_string(i), .normalized = true});
  }
  EXPECT_TRUE(make(tokens, {ReplaceStep{"x", std::string(100, 'y')}}));
  EXPECT_FALSE(make(tokens, {ReplaceStep{"x", std::string(200, 'y')}}));
}

}  // namespace
}  // namespace sida::tokenizer

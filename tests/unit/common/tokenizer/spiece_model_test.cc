#include "common/tokenizer/spiece_model.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "tests/unit/common/tokenizer/charsmap_builder.h"
#include "tests/unit/common/tokenizer/spiece_builder.h"

namespace sida::tokenizer {
namespace {

using Ids = std::vector<std::int32_t>;
using testing::bytes_field;
using testing::integer_field;
using testing::piece;
using testing::spiece_file;

std::string problem(const std::string& bytes) {
  const auto tokenizer = read_spiece_model(bytes);
  if (tokenizer) {
    return "";
  }
  EXPECT_EQ(tokenizer.error().code, ErrorCode::kInvalidModel);
  return tokenizer.error().message;
}

TEST(SpieceModel, ReadsPiecesScoresAndTypes) {
  const std::string bytes = spiece_file();
  const auto model = parse_spiece_model(bytes);
  ASSERT_TRUE(model);
  ASSERT_EQ(model->pieces.size(), 9U);
  EXPECT_EQ(model->pieces[3].text, "\u2581the");
  EXPECT_EQ(model->pieces[3].score, -1.5);
  EXPECT_TRUE(model->is_control[0]);
  EXPECT_TRUE(model->is_user_defined[8]);
  EXPECT_EQ(model->unknown_id, 2);
}

TEST(SpieceModel, EncodesAsT5) {
  const auto tokenizer = read_spiece_model(spiece_file());
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ((*tokenizer)->encode("the  cats ", true), (Ids{3, 7, 6, 1}));
  EXPECT_EQ((*tokenizer)->encode("the<sep>cat", false), (Ids{3, 8, 7}));
  EXPECT_EQ((*tokenizer)->decode(Ids{3, 8, 7, 1}, true), "the<sep> cat");
}

TEST(SpieceModel, AppendsAHundredSentinelsInReverse) {
  const auto tokenizer = read_spiece_model(spiece_file());
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ((*tokenizer)->vocab_size(), 109);
  EXPECT_EQ((*tokenizer)->token(9), "<extra_id_99>");
  EXPECT_EQ((*tokenizer)->token(108), "<extra_id_0>");
  EXPECT_EQ((*tokenizer)->encode("the <extra_id_0>cat", false), (Ids{3, 108, 7}));
  EXPECT_EQ((*tokenizer)->decode(Ids{108, 3}, true), "the");
}

TEST(SpieceModel, AppliesItsCharacterMap) {
  const auto tokenizer = read_spiece_model(spiece_file(testing::charsmap_bytes({{"C", "c"}, {"\t", " "}})));
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ((*tokenizer)->encode("the\tCat", false), (Ids{3, 7}));
}

TEST(SpieceModel, SymbolsMayBeEmptyAndOccurTwice) {
  const std::string symbols = piece("", 0, 3) + piece("", 0, 4) + piece("<sep>", 0, 3);
  const auto tokenizer = read_spiece_model(spiece_file() + symbols);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ((*tokenizer)->encode("the<sep>", false), (Ids{3, 11}));
  EXPECT_EQ((*tokenizer)->decode(Ids{3, 11}, true), "the");
}

TEST(SpieceModel, RefusesWhatIsNoSuchModel) {
  EXPECT_NE(problem(""), "");
  EXPECT_NE(problem("not a model"), "");
  EXPECT_EQ(problem(spiece_file() + bytes_field(2, integer_field(3, 2))),
            "model type 2 is not supported, 1 (Unigram) is");
  EXPECT_EQ(problem(spiece_file() + bytes_field(2, integer_field(40, 200))),
            "unk_id 200 is not among the 109 pieces of the vocabulary");
  EXPECT_EQ(problem(piece("<unk>", 0, 2)), "has no piece </s>, the end token");
  EXPECT_EQ(problem(spiece_file() + piece("x", std::numeric_limits<float>::infinity())),
            "piece 9: not UTF-8, or its score is not finite");
  EXPECT_EQ(problem(spiece_file() + piece("\xff", 0)), "piece 9: not UTF-8, or its score is not finite");
  EXPECT_EQ(problem(spiece_file("abcdefgh")), "character map: its trie does not fit into it");
}

TEST(SpieceModel, RefusesLengthsBeyondTheBytes) {
  EXPECT_EQ(problem(testing::varint(1 << 3 | 2) + testing::varint(1000) + "abc"),
            "the file: a field of 1000 bytes, but only 3 are left");
  EXPECT_EQ(problem(testing::varint(1 << 3 | 2) + testing::varint(~std::uint64_t{0})),
            "the file: a field of 18446744073709551615 bytes, but only 0 are left");
  EXPECT_EQ(problem(bytes_field(1,
                                "\x0a\x05"
                                "a")),
            "piece 0: a field of 5 bytes, but only 1 are left");
  EXPECT_EQ(problem(std::string(11, '\xff')), "the file: a number is longer than ten bytes");
  EXPECT_EQ(problem("\x0b"), "the file: a field's type is unknown");
  EXPECT_EQ(problem(std::string(1, '\0')), "the file: a field's number is out of range");
}

}  // namespace
}  // namespace sida::tokenizer

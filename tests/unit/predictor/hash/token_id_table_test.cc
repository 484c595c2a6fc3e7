#include "predictor/hash/token_id_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/predictor/hash/table_files.h"

namespace sida::predictor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TokenIdTableTest : public testing::Test {
 protected:
  Result<TokenIdTable> open(const TableTensors& tensors, std::int64_t k = 2) {
    const auto path = directory_.write("table.safetensors", safetensors_of(tensors));
    return TokenIdTable::open(path, k, small_model());
  }
  // That the table is refused, and why.
  void expect_refused(const TableTensors& tensors, const std::string& why) {
    const auto table = open(tensors);
    ASSERT_FALSE(table.has_value());
    EXPECT_EQ(table.error().code, ErrorCode::kInvalidModel);
    EXPECT_THAT(table.error().message, HasSubstr("table.safetensors"));
    EXPECT_THAT(table.error().message, HasSubstr(why));
  }

  test::TemporaryDirectory directory_;
};

TEST_F(TokenIdTableTest, DescribesItself) {
  const auto table = open(small_tables());
  ASSERT_TRUE(table.has_value()) << table.error().message;
  EXPECT_EQ(table->info().encoder_layers, 2);
  EXPECT_EQ(table->info().decoder_layers, 1);
  EXPECT_EQ(table->info().k_max, 2);
  EXPECT_NE(table->info().predictor, proto::Fingerprint{});
}

TEST_F(TokenIdTableTest, LooksTokensUpInEveryEncoderLayer) {
  auto table = open(small_tables());
  const std::vector<std::int32_t> tokens{0, 2};
  const std::vector<Source> sources{{tokens, 2}};
  const auto begun = table->begin(sources);
  ASSERT_EQ(begun.size(), 1U);
  const Predictions& predictions = begun[0].predictions;
  EXPECT_EQ(predictions.layers, 2U);
  EXPECT_EQ(predictions.tokens, 2U);
  EXPECT_THAT(predictions.experts, ElementsAre(0, -1, 2, -1, 1, -1, 0, -1));
  EXPECT_THAT(predictions.confidences, ElementsAre(1, 0.25F, 1, 0.25F, 1, 0.25F, 1, 0.25F));
}

TEST_F(TokenIdTableTest, LooksTokensUpInEveryDecoderLayer) {
  auto table = open(small_tables());
  const std::vector<Source> sources{{{}, 1}};
  const auto begun = table->begin(sources);
  SequenceState* state = begun[0].state.get();
  const std::vector<DecoderInput> inputs{{state, 0, 1}, {state, 3, 1}};
  const auto predictions = table->advance(inputs);
  ASSERT_EQ(predictions.size(), 2U);
  EXPECT_EQ(predictions[0].layers, 1U);
  EXPECT_THAT(predictions[0].experts, ElementsAre(2));
  EXPECT_THAT(predictions[1].experts, ElementsAre(2));
}

TEST_F(TokenIdTableTest, GivesFewerExpertsWhenFewerAreAskedFor) {
  auto table = open(small_tables());
  const std::vector<std::int32_t> tokens{1, 2};
  const std::vector<Source> sources{{tokens, 1}};
  EXPECT_THAT(table->begin(sources)[0].predictions.experts, ElementsAre(1, 2, 2, 0));
}

TEST_F(TokenIdTableTest, PredictsNothingForIdsThatTheModelDoesNotHave) {
  auto table = open(small_tables());
  const std::vector<std::int32_t> tokens{4, 2000000000};
  const std::vector<Source> sources{{tokens, 1}};
  EXPECT_THAT(table->begin(sources)[0].predictions.experts, ElementsAre(-1, -1, -1, -1));
  EXPECT_THAT(table->begin(sources)[0].predictions.confidences, ElementsAre(0, 0, 0, 0));
}

TEST_F(TokenIdTableTest, ReadsBFloat16Confidences) {
  auto tensors = small_tables();
  auto& confidence = tensors["encoder.1.confidence"];
  confidence.dtype = "BF16";
  std::fill(confidence.words.begin(), confidence.words.end(), std::uint16_t{0x3f00});
  auto table = open(tensors);
  ASSERT_TRUE(table.has_value()) << table.error().message;
  const std::vector<std::int32_t> tokens{0};
  const std::vector<Source> sources{{tokens, 1}};
  EXPECT_THAT(table->begin(sources)[0].predictions.confidences, ElementsAre(0.5F, 1));
}

TEST_F(TokenIdTableTest, HasTheFingerprintOfItsBytes) {
  const auto fingerprint = open(small_tables())->info().predictor;
  EXPECT_EQ(open(small_tables())->info().predictor, fingerprint);
  auto other = small_tables();
  other["encoder.1.experts"].words[0] = 2;
  EXPECT_NE(open(other)->info().predictor, fingerprint);
}

TEST_F(TokenIdTableTest, RefusesAMissingLayer) {
  auto tensors = small_tables();
  tensors.erase("encoder.3.confidence");
  expect_refused(tensors, "'encoder.3.confidence': missing");
}

TEST_F(TokenIdTableTest, RefusesALayerThatTheModelDoesNotHave) {
  auto tensors = small_tables();
  tensors["decoder.3.experts"] = tensors["decoder.1.experts"];
  expect_refused(tensors, "'decoder.3.experts': not of a predictor of this model");
}

TEST_F(TokenIdTableTest, RefusesAnotherVocabulary) {
  auto tensors = small_tables();
  tensors["encoder.1.experts"].shape = {2, 4};
  expect_refused(tensors, "'encoder.1.experts': must be [4, 2]");
}

TEST_F(TokenIdTableTest, RefusesExpertsThatTheModelDoesNotHave) {
  for (const std::uint16_t expert : {std::uint16_t{3}, std::uint16_t{0xfffe}}) {
    auto tensors = small_tables();
    tensors["decoder.1.experts"].words[5] = expert;
    expect_refused(tensors, "'decoder.1.experts': expert");
  }
}

TEST_F(TokenIdTableTest, RefusesConfidencesThatAreNone) {
  for (const std::uint16_t half :
       {std::uint16_t{0x3c01}, std::uint16_t{0xbc00}, std::uint16_t{0x7e00}, std::uint16_t{0x7c00}}) {
    auto tensors = small_tables();
    tensors["decoder.1.confidence"].words[5] = half;
    expect_refused(tensors, "'decoder.1.confidence': a confidence outside [0, 1]");
  }
}

TEST_F(TokenIdTableTest, RefusesOtherTypes) {
  auto tensors = small_tables();
  tensors["encoder.1.experts"].dtype = "F16";
  expect_refused(tensors, "'encoder.1.experts': must be int16");
  tensors = small_tables();
  tensors["encoder.1.confidence"].dtype = "I16";
  expect_refused(tensors, "'encoder.1.confidence': must be fp16 or bf16");
}

TEST_F(TokenIdTableTest, RefusesDamagedFiles) {
  const std::string whole = safetensors_of(small_tables());
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    const auto path = directory_.write("table.safetensors", whole.substr(0, size));
    const auto table = TokenIdTable::open(path, 2, small_model());
    ASSERT_FALSE(table.has_value()) << size;
    EXPECT_EQ(table.error().code, ErrorCode::kInvalidModel) << size;
    EXPECT_THAT(table.error().message, HasSubstr("table.safetensors"));
  }
}

TEST_F(TokenIdTableTest, SaysThatTheFileIsMissing) {
  const auto table = TokenIdTable::open(directory_.path() / "table.safetensors", 2, small_model());
  EXPECT_EQ(table.error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace sida::predictor

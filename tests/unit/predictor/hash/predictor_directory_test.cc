#include "predictor/hash/predictor_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/predictor/hash/table_files.h"

namespace sida::predictor {
namespace {

using testing::HasSubstr;

class PredictorDirectory : public testing::Test {
 protected:
  Result<std::unique_ptr<HashFunction>> open_with(const std::string& card) {
    write_predictor(directory_, small_tables(), card);
    return open_hash_function(directory_.path(), small_model());
  }
  void expect_invalid(const std::string& card, const std::string& why) {
    const auto opened = open_with(card);
    ASSERT_FALSE(opened.has_value()) << card;
    EXPECT_EQ(opened.error().code, ErrorCode::kInvalidModel) << card;
    EXPECT_THAT(opened.error().message, HasSubstr("predictor.json"));
    EXPECT_THAT(opened.error().message, HasSubstr(why));
  }

  test::TemporaryDirectory directory_;
};

TEST_F(PredictorDirectory, OpensATokenIdTable) {
  const auto opened = open_with(R"({"kind": "token_id_table", "k": 2, "counted_tokens": {"encoder": 5}})");
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  EXPECT_EQ((*opened)->info().kind, "token_id_table");
}

TEST_F(PredictorDirectory, OpensTheFileThatItsCardNames) {
  directory_.write("other.safetensors", safetensors_of(small_tables()));
  EXPECT_TRUE(open_with(R"({"kind": "token_id_table", "k": 2, "file": "other.safetensors"})").has_value());
}

TEST_F(PredictorDirectory, SaysThatTheCardIsMissing) {
  EXPECT_EQ(open_hash_function(directory_.path(), small_model()).error().code, ErrorCode::kNotFound);
}

TEST_F(PredictorDirectory, RefusesCardsThatAreNoJson) {
  expect_invalid("{", "not valid JSON");
  expect_invalid("", "not valid JSON");
  expect_invalid("[]", "not a JSON object");
}

TEST_F(PredictorDirectory, RefusesDeeplyNestedCards) {
  expect_invalid(std::string(500000, '['), "not valid JSON");
}

TEST_F(PredictorDirectory, RefusesCardsBeyondOneMebibyte) {
  expect_invalid("{\"kind\": \"" + std::string(1U << 20U, 'x') + "\"}", "longer than");
}

TEST_F(PredictorDirectory, RefusesUnknownKinds) {
  expect_invalid(R"({"kind": "crystal_ball", "k": 2})", "unknown kind 'crystal_ball'");
  expect_invalid(R"({"kind": 7, "k": 2})", "'kind'");
  expect_invalid(R"({"k": 2})", "'kind'");
}

TEST_F(PredictorDirectory, RefusesAKOutOfRange) {
  for (const char* k : {"0", "9", "-1", "1.5", "\"2\"", "18446744073709551616"}) {
    expect_invalid(std::string(R"({"kind": "token_id_table", "k": )") + k + "}", "'k' must be a number from 1 to 8");
  }
}

TEST_F(PredictorDirectory, RefusesFilesElsewhere) {
  for (const char* file : {"\"../table.safetensors\"", "\"/etc/passwd\"", "\"..\"", "\"\"", "3"}) {
    expect_invalid(std::string(R"({"kind": "token_id_table", "k": 2, "file": )") + file + "}", "'file'");
  }
}

TEST_F(PredictorDirectory, RefusesThePredictorOfAnotherModel) {
  std::string fingerprint(64, 'a');
  const auto opened =
      open_with(R"({"kind": "token_id_table", "k": 2, "model": {"fingerprint": ")" + fingerprint + "\"}}");
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::kMismatch);
  EXPECT_THAT(opened.error().message, HasSubstr("directories that belong together"));
}

TEST_F(PredictorDirectory, AcceptsThePredictorOfThisModel) {
  std::string fingerprint;
  for (int i = 0; i < 32; ++i) fingerprint += "ab";
  EXPECT_TRUE(
      open_with(R"({"kind": "token_id_table", "k": 2, "model": {"fingerprint": ")" + fingerprint + "\"}}").has_value());
}

}  // namespace
}  // namespace sida::predictor

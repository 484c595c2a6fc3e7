#include <gtest/gtest.h>

#include <string>

#include "common/tokenizer/tokenizer.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/common/tokenizer/spiece_builder.h"

namespace sida::tokenizer {
namespace {

constexpr const char* kSmallJson =
    R"({"model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", -1.0]]}})";

TEST(LoadTokenizer, SaysWhereThereIsNone) {
  const test::TemporaryDirectory directory;
  const auto tokenizer = load_tokenizer(directory.path());
  ASSERT_FALSE(tokenizer);
  EXPECT_EQ(tokenizer.error().code, ErrorCode::kNotFound);
}

TEST(LoadTokenizer, TakesTheJsonFileFirst) {
  const test::TemporaryDirectory directory;
  directory.write("spiece.model", testing::spiece_file());
  EXPECT_EQ((*load_tokenizer(directory.path()))->vocab_size(), 109);
  directory.write("tokenizer.json", kSmallJson);
  EXPECT_EQ((*load_tokenizer(directory.path()))->vocab_size(), 2);
}

TEST(LoadTokenizer, TheFingerprintIsOfTheFileThatIsRead) {
  const test::TemporaryDirectory directory;
  EXPECT_EQ(*fingerprint(directory.path()), (std::array<std::uint8_t, 32>{}));
  directory.write("spiece.model", testing::spiece_file());
  const auto of_spiece = *fingerprint(directory.path());
  EXPECT_NE(of_spiece, (std::array<std::uint8_t, 32>{}));
  directory.write("tokenizer.json", kSmallJson);
  const auto of_json = *fingerprint(directory.path());
  EXPECT_NE(of_json, of_spiece);
  directory.write("spiece.model", "another");
  EXPECT_EQ(*fingerprint(directory.path()), of_json);
}

TEST(LoadTokenizer, NamesTheDamagedFileAndDoesNotTakeTheOther) {
  const test::TemporaryDirectory directory;
  directory.write("spiece.model", testing::spiece_file());
  const auto path = directory.write("tokenizer.json", "{\"model\": ");
  const auto tokenizer = load_tokenizer(directory.path());
  ASSERT_FALSE(tokenizer);
  EXPECT_EQ(tokenizer.error().code, ErrorCode::kInvalidModel);
  EXPECT_EQ(exit_code(tokenizer.error().code), 3);
  EXPECT_TRUE(tokenizer.error().message.starts_with(path.string() + ": not valid JSON")) << tokenizer.error().message;
}

TEST(LoadTokenizer, RefusesAFileBeyondItsLimitUnread) {
  const test::TemporaryDirectory directory;
  std::filesystem::resize_file(directory.write("tokenizer.json", "{}"), std::uintmax_t{1} << 40);
  const auto tokenizer = load_tokenizer(directory.path());
  ASSERT_FALSE(tokenizer);
  EXPECT_EQ(tokenizer.error().code, ErrorCode::kInvalidModel);
}

TEST(LoadTokenizer, ReadsTheDemoModel) {
  const auto tokenizer = load_tokenizer(std::string(SIDA_SOURCE_DIR) + "/models/demo");
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const std::string text = "In the beginning <extra_id_0> the heaven";
  const auto ids = (*tokenizer)->encode(text, true);
  EXPECT_EQ((*tokenizer)->decode(ids, true), "In the beginning the heaven");
}

}  // namespace
}  // namespace sida::tokenizer

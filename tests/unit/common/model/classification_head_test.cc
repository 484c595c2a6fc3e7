#include "common/model/classification_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temporary_directory.h"

namespace sida::model {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// The heads of the golden data, in a copy that may be damaged.
class ClassificationHeadTest : public testing::Test {
 protected:
  ClassificationHeadTest() {
    const fs::path golden = fs::path(SIDA_SOURCE_DIR) / "tests/golden";
    fs::copy(golden / "cases/base/model", model_);
    fs::copy(golden / "heads", model_ / "heads", fs::copy_options::recursive);
  }

  [[nodiscard]] Result<std::vector<ClassificationHead>> read() const {
    return read_classification_heads(ModelDirectory::open(model_).value());
  }

  void write_config(const std::string& head, const std::string& text) const {
    std::ofstream(model_ / "heads" / head / "config.json") << text;
  }

  test::TemporaryDirectory directory_;
  fs::path model_ = directory_.path() / "model";
};

TEST_F(ClassificationHeadTest, AreReadUnderBothNamesOfTheirTensors) {
  const auto heads = read();
  ASSERT_TRUE(heads.has_value()) << heads.error().message;
  ASSERT_EQ(heads->size(), 2U);
  EXPECT_EQ(heads->front().out_bias.size(), 2U);
  EXPECT_EQ(heads->back().dense_weight.size(), 32U * 32U);
}

TEST_F(ClassificationHeadTest, AreNoneInAModelWithoutTheirFolder) {
  fs::remove_all(model_ / "heads");
  EXPECT_TRUE(read().value().empty());
}

TEST_F(ClassificationHeadTest, OfAnotherModelAreRefused) {
  write_config("plain", R"({"sida_model_fingerprint": "00"})");
  const auto heads = read();
  ASSERT_FALSE(heads.has_value());
  EXPECT_EQ(heads.error().code, ErrorCode::kInvalidModel);
  EXPECT_THAT(heads.error().message, HasSubstr("heads/plain/config.json"));
}

TEST_F(ClassificationHeadTest, WithMoreLabelsThanLogitsAreRefusedByTensor) {
  write_config("topic", R"({"id2label": {"0": "a", "1": "b"}})");
  const auto heads = read();
  ASSERT_FALSE(heads.has_value());
  EXPECT_THAT(heads.error().message, HasSubstr("'classification_head.out_proj.weight'"));
}

TEST_F(ClassificationHeadTest, CutShortAreRefused) {
  const fs::path file = model_ / "heads/topic/model.safetensors";
  fs::resize_file(file, fs::file_size(file) - 4);
  EXPECT_EQ(read().error().code, ErrorCode::kInvalidModel);
}

TEST_F(ClassificationHeadTest, WithoutWeightsAreRefused) {
  fs::remove(model_ / "heads/plain/model.safetensors");
  EXPECT_THAT(read().error().message, HasSubstr("heads/plain"));
}

TEST(HeadConfigTest, RefusesLabelsThatAreNotCountedThrough) {
  for (const char* json : {R"({"id2label": {"0": "a", "2": "b"}})", R"({"id2label": {"0": "a", "00": "b"}})",
                           R"({"id2label": {"0": ""}})", R"({"id2label": {"0": 1}})", R"({"id2label": {}})",
                           R"({"id2label": []})", R"({"id2label": {"-1": "a"}})", R"([])", R"({)"}) {
    EXPECT_FALSE(parse_head_config(json).has_value()) << json;
  }
  EXPECT_EQ(parse_head_config(R"({"id2label": {"1": "b", "0": "a"}})").value().labels,
            (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(parse_head_config("{}").value().labels.empty());
}

}  // namespace
}  // namespace sida::model

#include "common/model/token_experts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_model.h"

namespace sida::model {
namespace {

using testing::AllOf;
using testing::Each;
using testing::Ge;
using testing::HasSubstr;
using testing::Lt;

class TokenExpertsTest : public testing::Test {
 protected:
  static Blueprint hash_blueprint() {
    Blueprint blueprint = test::tiny_blueprint();
    blueprint.config.hash_routing = true;
    return blueprint;
  }
  Result<ModelDirectory> made(std::uint64_t seed) {
    const auto path = directory_.path() / std::to_string(seed);
    MakeModelOptions options;
    options.seed = seed;
    if (!std::filesystem::exists(path)) test::write_model(path, hash_blueprint(), options);
    return ModelDirectory::open(path);
  }

  test::TemporaryDirectory directory_;
};

TEST_F(TokenExpertsTest, NameAnExpertForEveryTokenOfAMadeModel) {
  const auto model = made(1);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_TRUE(model->config().hash_routing);
  EXPECT_THAT(model->warnings(), testing::IsEmpty());
  for (std::int32_t layer = 0; layer < model->geometry().moe_layers(); ++layer) {
    const auto experts = read_token_experts(*model, LayerId{layer});
    ASSERT_TRUE(experts.has_value()) << experts.error().message;
    EXPECT_EQ(experts->size(), 40U);
    EXPECT_THAT(*experts, Each(AllOf(Ge(0), Lt(3))));
  }
}

TEST_F(TokenExpertsTest, ArePartOfTheFingerprint) {
  EXPECT_NE(made(1)->fingerprint(), made(2)->fingerprint());
}

TEST_F(TokenExpertsTest, RefuseExpertsThatTheModelDoesNotHave) {
  const std::string name = "encoder.block.1.layer.1.mlp.router.token_experts";
  const auto model = made(1);
  const TensorInfo& info = model->tensor(name);
  std::fstream file(model->weights().files()[info.file], std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(info.offset) + 2);
  file.write("\x03\x00", 2);
  file.close();
  const auto experts = read_token_experts(*model, LayerId{0});
  ASSERT_FALSE(experts.has_value());
  EXPECT_EQ(experts.error().code, ErrorCode::kInvalidModel);
  EXPECT_THAT(experts.error().message, HasSubstr("'" + name + "': expert 3"));
}

TEST_F(TokenExpertsTest, AreNotWrittenIntoACheckpoint) {
  MakeModelOptions options;
  options.format = WeightFormat::kTorchCheckpoint;
  const auto refused = make_model(directory_.path() / "bin", hash_blueprint(), options, nullptr);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace sida::model

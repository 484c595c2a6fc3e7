#include "common/model/make_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "common/model/model_directory.h"
#include "common/model/random_weights.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_model.h"

namespace sida::model {
namespace {

using test::tiny_blueprint;
using testing::HasSubstr;

struct Form {
  const char* name;
  DType dtype;
  WeightFormat format;
  std::uint64_t shard_bytes_max;
  const char* file;  // That must exist.
};

class MakeModelForms : public testing::TestWithParam<Form> {};

TEST_P(MakeModelForms, WritesTheSameModelThatIsReadBack) {
  test::TemporaryDirectory folder;
  Blueprint blueprint = tiny_blueprint();
  blueprint.config.dtype = GetParam().dtype;
  test::write_model(folder.path() / "reference", blueprint);
  test::write_model(folder.path() / "made", blueprint,
                    {.format = GetParam().format, .shard_bytes_max = GetParam().shard_bytes_max});

  const auto reference = ModelDirectory::open(folder.path() / "reference");
  const auto made = ModelDirectory::open(folder.path() / "made");
  ASSERT_TRUE(reference.has_value()) << reference.error().message;
  ASSERT_TRUE(made.has_value()) << made.error().message;
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "made" / GetParam().file));
  EXPECT_EQ(made->config().dtype, GetParam().dtype);
  EXPECT_THAT(made->warnings(), testing::IsEmpty());
  EXPECT_EQ(to_hex(made->fingerprint()), to_hex(reference->fingerprint()));
  for (const auto& [name, info] : reference->weights().tensors()) {
    const auto expected = reference->weights().read_bytes(info);
    const auto actual = made->weights().read_bytes(made->tensor(name));
    EXPECT_EQ(actual.value(), expected.value()) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, MakeModelForms,
    testing::Values(
        Form{"fp32_single", DType::kFloat32, WeightFormat::kSafetensors, 1U << 30U, "model.safetensors"},
        Form{"bf16_sharded", DType::kBFloat16, WeightFormat::kSafetensors, 2000, "model.safetensors.index.json"},
        Form{"fp32_bin", DType::kFloat32, WeightFormat::kTorchCheckpoint, 1U << 30U, "pytorch_model.bin"},
        Form{"fp16_bin_sharded", DType::kFloat16, WeightFormat::kTorchCheckpoint, 2000, "pytorch_model.bin.index.json"},
        Form{"bf16_bin_sharded", DType::kBFloat16, WeightFormat::kTorchCheckpoint, 1, "pytorch_model.bin.index.json"}),
    [](const auto& information) { return information.param.name; });

TEST(MakeModel, HoldsAllFourNamesOfTheEmbeddingInACheckpoint) {
  test::TemporaryDirectory folder;
  test::write_model(folder.path() / "m", tiny_blueprint(), {.format = WeightFormat::kTorchCheckpoint});
  const auto weights = WeightFiles::open(folder.path() / "m").value();
  ASSERT_NE(weights.find("lm_head.weight"), nullptr);
  EXPECT_EQ(weights.find("lm_head.weight")->offset, weights.find("shared.weight")->offset);
  EXPECT_EQ(weights.find("encoder.embed_tokens.weight")->offset, weights.find("shared.weight")->offset);
  EXPECT_EQ(weights.find("decoder.embed_tokens.weight")->offset, weights.find("shared.weight")->offset);
}

TEST(MakeModel, AlignsTheDataOfACheckpointAsTorchDoes) {
  test::TemporaryDirectory folder;
  test::write_model(folder.path() / "m", tiny_blueprint(), {.format = WeightFormat::kTorchCheckpoint});
  const auto weights = WeightFiles::open(folder.path() / "m").value();
  for (const auto& [name, info] : weights.tensors()) EXPECT_EQ(info.offset % 64, 0U) << name;
}

TEST(MakeModel, KeepsBothMatricesOfAnExpertTogether) {
  test::TemporaryDirectory folder;
  test::write_model(folder.path() / "m", tiny_blueprint());
  const auto model = ModelDirectory::open(folder.path() / "m").value();
  const ExpertTensors expert = model.expert({LayerId(1), ExpertId(2)});
  EXPECT_EQ(expert.wi->offset + expert.wi->bytes, expert.wo->offset);
}

TEST(MakeModel, DependsOnTheSeed) {
  test::TemporaryDirectory folder;
  test::write_model(folder.path() / "a", tiny_blueprint(), {.seed = 1});
  test::write_model(folder.path() / "b", tiny_blueprint(), {.seed = 2});
  EXPECT_NE(ModelDirectory::open(folder.path() / "a").value().fingerprint(),
            ModelDirectory::open(folder.path() / "b").value().fingerprint());
}

TEST(MakeModel, RefusesAnExistingDestination) {
  test::TemporaryDirectory folder;
  const auto made = make_model(folder.path(), tiny_blueprint(), {}, nullptr);
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(made.error().message, HasSubstr("exists already"));
}

TEST(MakeModel, RefusesWhatDoesNotFitOnTheDiskBeforeWriting) {
  test::TemporaryDirectory folder;
  Blueprint blueprint = tiny_blueprint();
  blueprint.config.vocab_size = 1 << 24;
  blueprint.config.d_model = 1 << 20;  // 70 TB.
  const auto made = make_model(folder.path() / "m", blueprint, {}, nullptr);
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, ErrorCode::kIo);
  EXPECT_THAT(made.error().message, HasSubstr("are free"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(MakeModel, LeavesNothingBehindWhenStopped) {
  test::TemporaryDirectory folder;
  const auto made = make_model(folder.path() / "m", tiny_blueprint(), {}, [](auto, auto) { return false; });
  EXPECT_EQ(made.error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(MakeModel, ReportsProgressUpToAllBytes) {
  test::TemporaryDirectory folder;
  std::uint64_t last = 0;
  const auto made = make_model(folder.path() / "m", tiny_blueprint(), {}, [&](std::uint64_t done, std::uint64_t total) {
    EXPECT_GT(done, last);
    EXPECT_EQ(total, weight_bytes(tiny_blueprint()));
    last = done;
    return true;
  });
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(last, weight_bytes(tiny_blueprint()));
}

// The parameter counts of the released models, from the table of their configurations.
TEST(ReleasedModels, HaveTheReleasedNumberOfParameters) {
  const auto parameters = [](const char* name) {
    const Blueprint blueprint = blueprint_like(name, std::nullopt, std::nullopt).value();
    return weight_bytes(blueprint) / bytes_per_element(blueprint.config.dtype);
  };
  EXPECT_EQ(parameters("switch-base-8"), 619'339'008U);
  EXPECT_EQ(parameters("switch-base-128"), 7'415'217'408U);
  EXPECT_EQ(parameters("switch-base-256"), 14'664'154'368U);
  EXPECT_EQ(parameters("switch-large-128"), 26'309'291'008U);
}

TEST(ReleasedModels, RefuseUnknownNamesAndSizes) {
  EXPECT_THAT(blueprint_like("switch-base-9", {}, {}).error().message, HasSubstr("known are switch-base-8"));
  EXPECT_FALSE(blueprint_like("switch-base-8", 0, {}).has_value());
  EXPECT_FALSE(blueprint_like("switch-base-8", {}, 1).has_value());
}

TEST(RandomWeights, HaveTheAskedMeanAndDeviation) {
  std::vector<float> values(100'000);
  random_values(7, "x", {.mean = 1.0F, .standard_deviation = 0.5F}, 0, DType::kFloat32,
                std::as_writable_bytes(std::span(values)));
  double sum = 0;
  double squares = 0;
  for (float value : values) {
    sum += value;
    squares += (value - 1.0) * (value - 1.0);
  }
  EXPECT_NEAR(sum / 100'000, 1.0, 0.01);
  EXPECT_NEAR(std::sqrt(squares / 100'000), 0.5, 0.005);
}

TEST(RandomWeights, DoNotDependOnWhereAPieceBegins) {
  std::vector<float> whole(64);
  std::vector<float> tail(24);
  const WeightScale scale{.standard_deviation = 1.0F};
  random_values(7, "x", scale, 0, DType::kFloat32, std::as_writable_bytes(std::span(whole)));
  random_values(7, "x", scale, 40, DType::kFloat32, std::as_writable_bytes(std::span(tail)));
  EXPECT_EQ(std::vector<float>(whole.begin() + 40, whole.end()), tail);
}

}  // namespace
}  // namespace sida::model

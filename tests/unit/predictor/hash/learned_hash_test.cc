#include "predictor/hash/learned_hash.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "predictor/network/miniature.h"
#include "tests/unit/predictor/network/tiny_network.h"

namespace sida::predictor {
namespace {

using testing::Each;
using testing::HasSubstr;

const std::vector<std::int32_t> kText{7, 3, 22, 22, 9, 1};
const std::vector<std::int32_t> kOtherText{5, 30, 31, 4, 8, 8, 8, 2, 1};

class LearnedHashTest : public testing::Test {
 protected:
  void SetUp() override {
    test::write_model(directory_.path() / "model", test::tiny_blueprint());
    auto model = model::ModelDirectory::open(directory_.path() / "model");
    ASSERT_TRUE(model.has_value()) << model.error().message;
    model_.emplace(std::move(*model));
    write(tiny_miniature());
  }
  // The predictor's files, for a network of this shape.
  void write(const NetworkShape& shape) {
    std::filesystem::remove(weights_path());
    write_tiny_weights(weights_path(), shape, tiny_model_shape());
    nlohmann::json card{{"kind", "learned"},
                        {"k", 3},
                        {"model", {{"fingerprint", model::to_hex(model_->fingerprint())}}},
                        {"network", to_json(shape)}};
    directory_.write("predictor.json", card.dump());
  }
  [[nodiscard]] std::filesystem::path weights_path() const { return directory_.path() / "weights.safetensors"; }
  Result<std::unique_ptr<HashFunction>> open() { return open_hash_function(directory_.path(), served_model(*model_)); }
  std::unique_ptr<HashFunction> opened() {
    auto function = open();
    SIDA_CHECK(function.has_value());
    return std::move(*function);
  }
  static Predictions predict(HashFunction& function, const std::vector<std::int32_t>& tokens, std::uint8_t k = 2) {
    const Source source{tokens, k};
    return function.begin({&source, 1})[0].predictions;
  }
  static void expect_equal(const Predictions& a, const Predictions& b) {
    EXPECT_EQ(a.experts, b.experts);
    EXPECT_EQ(a.confidences, b.confidences);
  }
  void expect_invalid(const std::string& why) {
    const auto function = open();
    ASSERT_FALSE(function.has_value());
    EXPECT_EQ(function.error().code, ErrorCode::kInvalidModel);
    EXPECT_THAT(function.error().message, HasSubstr(why));
  }

  test::TemporaryDirectory directory_;
  std::optional<model::ModelDirectory> model_;
};

TEST_F(LearnedHashTest, PredictsEveryTokenInEveryEncoderLayer) {
  for (const NetworkShape& shape : {tiny_miniature(), tiny_narrow_miniature(), tiny_published()}) {
    write(shape);
    const Predictions found = predict(*opened(), kText);
    EXPECT_EQ(found.layers, 2U);
    EXPECT_EQ(found.tokens, kText.size());
    EXPECT_EQ(found.experts.size(), 2 * kText.size() * 2);
    EXPECT_THAT(found.experts, Each(testing::AllOf(testing::Ge(0), testing::Lt(3))));
    EXPECT_THAT(found.confidences, Each(testing::AllOf(testing::Gt(0), testing::Le(1))));
  }
}

TEST_F(LearnedHashTest, SaysTheSameOfASourceWhateverElseIsInTheBatch) {
  for (const NetworkShape& shape : {tiny_miniature(), tiny_narrow_miniature(), tiny_published()}) {
    write(shape);
    const auto function = opened();
    const std::vector<Source> sources{{kOtherText, 2}, {kText, 2}, {{}, 2}, {kOtherText, 1}};
    const auto together = function->begin(sources);
    expect_equal(together[1].predictions, predict(*function, kText));
    expect_equal(together[3].predictions, predict(*function, kOtherText, 1));
    EXPECT_EQ(together[2].predictions.tokens, 0U);
  }
}

TEST_F(LearnedHashTest, AdvancesADecoderTheSameWhateverElseIsInTheBatch) {
  const auto function = opened();
  const std::vector<Source> sources{{kText, 2}, {kOtherText, 2}, {kText, 2}, {{}, 2}};
  const auto begun = function->begin(sources);
  // The third decoder reads alone what the first reads among others.
  for (const std::int32_t token : {0, 12, 33}) {
    const DecoderInput alone{begun[2].state.get(), token, 2};
    const auto single = function->advance({&alone, 1});
    const std::vector<DecoderInput> inputs{
        {begun[1].state.get(), 5, 2}, {begun[0].state.get(), token, 2}, {begun[3].state.get(), token, 2}};
    expect_equal(function->advance(inputs)[1], single[0]);
  }
}

TEST_F(LearnedHashTest, TakesSeveralTokensOfOneDecoderInOrder) {
  const auto function = opened();
  const std::vector<Source> sources{{kText, 2}, {kText, 2}};
  const auto begun = function->begin(sources);
  std::vector<DecoderInput> inputs;
  for (const std::int32_t token : {0, 12, 33}) inputs.push_back({begun[0].state.get(), token, 2});
  const auto at_once = function->advance(inputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const DecoderInput one{begun[1].state.get(), inputs[i].token, 2};
    expect_equal(function->advance({&one, 1})[0], at_once[i]);
  }
}

TEST_F(LearnedHashTest, KeepsADecodersStateWithinWhatItAnnounces) {
  const auto function = opened();
  const Source source{kText, 2};
  const auto begun = function->begin({&source, 1});
  const DecoderInput input{begun[0].state.get(), 4, 2};
  Predictions last;
  for (std::int64_t i = 0; i < 3 * kDecoderWindow; ++i) last = function->advance({&input, 1})[0];
  EXPECT_THAT(last.experts, Each(testing::Ge(0)));
  EXPECT_GT(function->info().state_bytes, 0U);
}

TEST_F(LearnedHashTest, PredictsNothingForIdsThatTheModelDoesNotHave) {
  const auto function = opened();
  const std::vector<std::int32_t> tokens{40, -3};
  EXPECT_THAT(predict(*function, tokens).experts, Each(-1));
}

TEST_F(LearnedHashTest, ReadsSourcesLongerThanAPart) {
  const std::vector<std::int32_t> tokens(2 * static_cast<std::size_t>(kPartTokensMax) + 5, 7);
  EXPECT_THAT(predict(*opened(), tokens).experts, Each(testing::Ge(0)));
}

TEST_F(LearnedHashTest, LeavesTheDecoderAloneAsPublished) {
  write(tiny_published());
  const auto function = opened();
  const Source source{kText, 2};
  const auto begun = function->begin({&source, 1});
  const DecoderInput input{begun[0].state.get(), 4, 2};
  EXPECT_EQ(function->advance({&input, 1})[0].layers, 0U);
}

TEST_F(LearnedHashTest, HasTheFingerprintOfItsWeights) {
  const auto before = opened()->info().predictor;
  std::filesystem::remove(weights_path());
  write_tiny_weights(weights_path(), tiny_miniature(), tiny_model_shape(), /*seed=*/2);
  EXPECT_NE(opened()->info().predictor, before);
}

TEST_F(LearnedHashTest, RefusesAnotherModelsPredictorWithTheCommandThatTrainsOne) {
  auto blueprint = test::tiny_blueprint();
  model::MakeModelOptions options;
  options.seed = 99;
  test::write_model(directory_.path() / "other", blueprint, options);
  const auto other = model::ModelDirectory::open(directory_.path() / "other");
  const auto function = open_hash_function(directory_.path(), served_model(*other));
  ASSERT_FALSE(function.has_value());
  EXPECT_EQ(function.error().code, ErrorCode::kMismatch);
  EXPECT_THAT(function.error().message, HasSubstr("sida train --model " + other->path().string()));
}

TEST_F(LearnedHashTest, RefusesTensorsThatDoNotFitTheCard) {
  std::filesystem::remove(weights_path());
  write_tiny_weights(weights_path(), tiny_narrow_miniature(), tiny_model_shape());
  expect_invalid("weights.safetensors: tensor 'encoder.block.0.attention.norm'");
}

TEST_F(LearnedHashTest, RefusesACutFile) {
  std::filesystem::resize_file(weights_path(), std::filesystem::file_size(weights_path()) - 1);
  expect_invalid("weights.safetensors");
}

TEST_F(LearnedHashTest, RefusesWeightsThatAreNotFinite) {
  std::fstream file(weights_path(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-4, std::ios::end);
  file.write("\x00\x00\xc0\x7f", 4);
  file.close();
  expect_invalid("not finite");
}

TEST_F(LearnedHashTest, RefusesACardWithoutNetworkOrFingerprint) {
  directory_.write("predictor.json", R"({"kind": "learned", "k": 2})");
  expect_invalid("'model.fingerprint' is missing");
  nlohmann::json card{
      {"kind", "learned"}, {"k", 2}, {"model", {{"fingerprint", model::to_hex(model_->fingerprint())}}}};
  directory_.write("predictor.json", card.dump());
  expect_invalid("'network' must be an object");
}

}  // namespace
}  // namespace sida::predictor

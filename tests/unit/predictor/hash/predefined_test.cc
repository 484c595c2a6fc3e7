// The hash function of a model with hash routing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/model/token_experts.h"
#include "predictor/hash/predictor_directory.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_model.h"

namespace sida::predictor {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

class Predefined : public testing::Test {
 protected:
  model::ModelDirectory made(bool hash_routing) {
    auto blueprint = test::tiny_blueprint();
    blueprint.config.hash_routing = hash_routing;
    test::write_model(directory_.path() / "model", blueprint);
    auto model = model::ModelDirectory::open(directory_.path() / "model");
    SIDA_CHECK(model.has_value());
    return std::move(*model);
  }
  test::TemporaryDirectory directory_;
};

TEST_F(Predefined, SaysWhatTheModelDoesWithConfidenceOne) {
  const model::ModelDirectory model = made(true);
  const auto function = open_hash_function(model.path() / "predictor", served_model(model));
  ASSERT_TRUE(function.has_value()) << function.error().message;
  const auto first = model::read_token_experts(model, LayerId{0});
  const auto second = model::read_token_experts(model, LayerId{1});
  const auto decoder = model::read_token_experts(model, LayerId{2});
  const std::vector<std::int32_t> tokens{7, 30};
  const Source source{tokens, 1};
  const auto begun = (*function)->begin({&source, 1});
  EXPECT_THAT(begun[0].predictions.experts, ElementsAre((*first)[7], (*first)[30], (*second)[7], (*second)[30]));
  EXPECT_THAT(begun[0].predictions.confidences, Each(1.0F));
  const DecoderInput input{begun[0].state.get(), 12, 1};
  EXPECT_THAT((*function)->advance({&input, 1})[0].experts, ElementsAre((*decoder)[12]));
}

TEST_F(Predefined, IsRefusedForAModelWithGates) {
  const model::ModelDirectory model = made(false);
  directory_.write("predictor.json", R"({"kind": "predefined", "k": 1})");
  const auto function = open_hash_function(directory_.path(), served_model(model));
  ASSERT_FALSE(function.has_value());
  EXPECT_EQ(function.error().code, ErrorCode::kMismatch);
  EXPECT_THAT(function.error().message, HasSubstr("hash routing"));
}

}  // namespace
}  // namespace sida::predictor

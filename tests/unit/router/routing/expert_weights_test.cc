#include "router/routing/expert_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace sida::router {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

std::vector<float> by_confidence(TableWeights how, std::vector<std::int16_t> experts, std::vector<float> confidences) {
  std::vector<float> weights(experts.size(), -1);
  weigh_by_confidence(how, experts, confidences, weights);
  return weights;
}

std::vector<float> by_gate(std::vector<std::int32_t> experts, std::vector<float> probabilities, std::int32_t choice) {
  std::vector<float> weights(experts.size(), -1);
  weigh_by_gate(experts, probabilities, choice, weights);
  return weights;
}

TEST(WeighByConfidence, AsPublishedHalvesEvenASingleExpert) {
  EXPECT_THAT(by_confidence(TableWeights::kPublished, {4}, {0.8F}), ElementsAre(0.4F));
  EXPECT_THAT(by_confidence(TableWeights::kPublished, {4, 2, 7}, {0.5F, 0.25F, 0.125F}),
              ElementsAre(0.25F, 0.0625F, 0.03125F));
}

TEST(WeighByConfidence, RenormalisedSumsToTheBestConfidence) {
  const auto weights = by_confidence(TableWeights::kRenormalised, {4, 2, 7}, {0.5F, 0.25F, 0.25F});
  EXPECT_THAT(weights, ElementsAre(FloatEq(0.25F), FloatEq(0.125F), FloatEq(0.125F)));
}

TEST(WeighByConfidence, RenormalisedKeepsEveryBitOfASingleConfidence) {
  for (const float confidence : {0.1F, 0.3333333F, 0.9999999F, 1e-30F}) {
    EXPECT_THAT(by_confidence(TableWeights::kRenormalised, {4}, {confidence}), ElementsAre(confidence));
  }
}

TEST(WeighByConfidence, RanksWithoutAnExpertWeighNothing) {
  EXPECT_THAT(by_confidence(TableWeights::kRenormalised, {4, -1, -1}, {0.7F, 0.9F, 0.9F}), ElementsAre(0.7F, 0, 0));
  EXPECT_THAT(by_confidence(TableWeights::kRenormalised, {4}, {0}), ElementsAre(0));
}

TEST(WeighByGate, ItsOwnChoiceCountsAlone) {
  EXPECT_THAT(by_gate({2, 0}, {0.7F, 0.1F, 0.2F}, 0), ElementsAre(0, 0.7F));
}

TEST(WeighByGate, OthersCountByTheirProbability) {
  EXPECT_THAT(by_gate({2}, {0.7F, 0.1F, 0.2F}, 0), ElementsAre(0.2F));
  EXPECT_THAT(by_gate({2, 1, -1}, {0.7F, 0.1F, 0.2F}, 0), ElementsAre(FloatEq(0.4F / 3), FloatEq(0.2F / 3), 0));
}

}  // namespace
}  // namespace sida::router

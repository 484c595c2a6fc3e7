#include "cli/evaluation/recall.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace sida::cli {
namespace {

// Three experts, one layer, tokens whose gate chose 0, 1 and 2.
trace::TraceHeader header() {
  return {.num_experts = 3, .encoder_layers = 1, .decoder_layers = 0, .vocab_size = 9, .decoder_start_token = 0};
}

trace::TracedLayer layer() {
  const float half = std::log(0.5F);
  const float quarter = std::log(0.25F);
  return {.gate = {0, 1, 2},
          .served = {0, 1, 2},
          .top_experts = {0, 1, 2, 1, 2, 0, 2, 0, 1},
          .top_log_probabilities = {half, quarter, quarter, half, quarter, quarter, half, quarter, quarter}};
}

predictor::Predictions named(std::uint8_t k, std::vector<std::int16_t> experts) {
  predictor::Predictions predictions{.layers = 1, .tokens = 3, .k = k, .experts = std::move(experts)};
  predictions.confidences.assign(predictions.experts.size(), 0.5F);
  return predictions;
}

Recall recall(std::uint8_t k, std::vector<std::int16_t> experts) {
  return recall_of(header(), {layer()}, named(k, std::move(experts))).at(0);
}

TEST(RecallOf, CountsFirstChoicesAndFirstThree) {
  const Recall found = recall(2, {0, 1, 2, 1, 0, 1});
  EXPECT_EQ(found.tokens, 3U);
  EXPECT_EQ(found.top1, 1U) << "the first token";
  EXPECT_EQ(found.top3, 2U) << "the second names it second, the third not at all";
  EXPECT_NEAR(found.gate_mass, (0.5 + 0.25) + (0.25 + 0.5) + (0.25 + 0.25), 1e-6);
}

TEST(RecallOf, ATokenWithoutPredictionIsMissed) {
  const Recall found = recall(1, {0, -1, -1});
  EXPECT_EQ(found.tokens, 3U);
  EXPECT_EQ(found.top1, 1U);
  EXPECT_NEAR(found.gate_mass, 0.5, 1e-6);
}

TEST(RecallOf, LooksAtNoMoreThanThree) {
  const std::vector<std::int16_t> experts{2, 1, -1, 0, 2, 0, -1, 1, 0, 1, -1, 2};
  EXPECT_EQ(recall(4, experts).top3, 0U);
}

TEST(Recall, SharesAreOfTheTokens) {
  const Recall found{4, 1, 3, 2.0};
  EXPECT_EQ(found.percent(1), 25);
  EXPECT_EQ(Recall().percent(1), 0);
}

TEST(Recall, TasksAddUpLayerByLayer) {
  TaskRecall tasks;
  tasks["a"] += SequenceRecall{{{1, 1, 1, 1}, {1, 0, 0, 0}}, {}};
  tasks["b"] += SequenceRecall{{{2, 0, 1, 1}, {2, 2, 2, 2}}, {{5, 5, 5, 5}}};
  const SequenceRecall all = all_tasks(tasks);
  EXPECT_THAT(all.encoder, ::testing::ElementsAre(Recall{3, 1, 2, 2}, Recall{3, 2, 2, 2}));
  EXPECT_EQ(total(all.encoder), (Recall{6, 3, 4, 4}));
  EXPECT_EQ(total(all.decoder), (Recall{5, 5, 5, 5}));
}

TEST(NormalisedEntropy, IsOneForEvenUseAndZeroForOneExpert) {
  EXPECT_DOUBLE_EQ(normalised_entropy({5, 5, 5, 5}), 1);
  EXPECT_DOUBLE_EQ(normalised_entropy({7, 0, 0}), 0);
  EXPECT_NEAR(normalised_entropy({1, 1, 0, 0}), 0.5, 1e-12);
  EXPECT_EQ(normalised_entropy({}), 0);
}

}  // namespace
}  // namespace sida::cli

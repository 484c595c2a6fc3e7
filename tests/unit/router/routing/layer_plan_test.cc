#include "router/routing/layer_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sida::router {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr LayerId kLayer{1};

// Of `experts` in the only layer of a stack that begins with kLayer.
TableRows table(std::vector<std::int16_t> experts, std::vector<float> confidences, std::uint32_t k = 1) {
  return {.first_layer = kLayer,
          .layers = 1,
          .rows = static_cast<std::uint32_t>(experts.size()) / k,
          .k = k,
          .experts = std::move(experts),
          .confidences = std::move(confidences)};
}

RoutingOptions options() {
  return {.weights = TableWeights::kRenormalised, .gated_confidence = 0.5F, .agreement_share = 0};
}

TEST(PlanLayer, InExactModeTheGateChoosesWhateverTheTableSays) {
  const TableRows rows = table({3, 4}, {1, 1});
  const std::vector<PlannedSequence> sequences{{.rows = 2, .mode = RoutingMode::kExact, .table = &rows}};
  const LayerPlan plan = plan_layer(kLayer, sequences, options());
  EXPECT_THAT(plan.ask, ElementsAre(0, 1));
  EXPECT_THAT(plan.by_table, ElementsAre(0, 0));
}

TEST(PlanLayer, InPredictedModeTheTableChoosesWhereItHasAnEntry) {
  const TableRows rows = table({3, -1, 4}, {0.1F, 0, 0.2F});
  const std::vector<PlannedSequence> sequences{{.rows = 1},
                                               {.rows = 3, .mode = RoutingMode::kPredicted, .table = &rows}};
  const LayerPlan plan = plan_layer(kLayer, sequences, options());
  EXPECT_THAT(plan.ask, ElementsAre(0, 2));
  EXPECT_THAT(plan.by_table, ElementsAre(0, 1, 0, 1));
  EXPECT_THAT(plan.experts, ElementsAre(-1, 3, -1, 4));
  EXPECT_THAT(plan.weights, ElementsAre(0, 0.1F, 0, 0.2F));
  EXPECT_THAT(plan.sample, IsEmpty());
}

TEST(PlanLayer, InGatedModeTheTableChoosesWhereItIsConfident) {
  const TableRows rows = table({3, 4}, {0.49F, 0.5F});
  const std::vector<PlannedSequence> sequences{{.rows = 2, .mode = RoutingMode::kGated, .table = &rows}};
  EXPECT_THAT(plan_layer(kLayer, sequences, options()).by_table, ElementsAre(0, 1));
}

TEST(PlanLayer, WithoutATableTheGateChooses) {
  const std::vector<PlannedSequence> sequences{{.rows = 2, .mode = RoutingMode::kPredicted}};
  EXPECT_THAT(plan_layer(kLayer, sequences, options()).ask, ElementsAre(0, 1));
}

TEST(PlanLayer, SeveralExpertsOfARowStandInOrderOfRank) {
  const TableRows rows = table({3, 4, 5, -1}, {0.5F, 0.5F, 0.25F, 0}, 2);
  const std::vector<PlannedSequence> sequences{{.rows = 1},
                                               {.rows = 2, .mode = RoutingMode::kPredicted, .table = &rows}};
  const LayerPlan plan = plan_layer(kLayer, sequences, options());
  EXPECT_EQ(plan.k, 2U);
  EXPECT_THAT(plan.experts, ElementsAre(-1, -1, 3, 4, 5, -1));
  EXPECT_THAT(plan.weights, ElementsAre(0, 0, 0.25F, 0.25F, 0.25F, 0));
}

TEST(PlanLayer, TheGateIsAskedMeanwhileAboutAShareThatDoesNotDependOnTheBatch) {
  const std::size_t count = 2000;
  const TableRows rows = table(std::vector<std::int16_t>(count, 1), std::vector<float>(count, 1));
  RoutingOptions some = options();
  some.agreement_share = 0.25;
  const PlannedSequence sequence{.id = SequenceId{7}, .rows = count, .mode = RoutingMode::kPredicted, .table = &rows};
  const auto alone = plan_layer(kLayer, std::vector{sequence}, some).sample;
  EXPECT_NEAR(static_cast<double>(alone.size()), 500, 100);
  auto behind = plan_layer(kLayer, std::vector{PlannedSequence{.rows = 3}, sequence}, some).sample;
  for (std::int32_t& row : behind) row -= 3;
  EXPECT_EQ(behind, alone);
  some.agreement_share = 1;
  EXPECT_EQ(plan_layer(kLayer, std::vector{sequence}, some).sample.size(), count);
}

TEST(PlanLayer, WhereTheGateWeighsItIsAskedAboutEveryRow) {
  const TableRows rows = table({3, 4}, {1, 1});
  RoutingOptions by_gate = options();
  by_gate.weights = TableWeights::kGate;
  const std::vector<PlannedSequence> sequences{{.rows = 2, .mode = RoutingMode::kPredicted, .table = &rows}};
  EXPECT_THAT(plan_layer(kLayer, sequences, by_gate).sample, ElementsAre(0, 1));
}

}  // namespace
}  // namespace sida::router

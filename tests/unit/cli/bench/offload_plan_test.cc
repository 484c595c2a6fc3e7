#include "cli/bench/offload_plan.h"

#include <gmock/gmock.h>

#include <set>

namespace sida::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// 100 experts of 1000 bytes each; workers need 10,000 at least.
OffloadModel model() {
  return {.name = "m",
          .dtype = "bf16",
          .experts_per_layer = 50,
          .encoder_moe_layers = 1,
          .decoder_moe_layers = 1,
          .expert_bytes = 1000,
          .memory_bytes_min = 10'000};
}

TEST(Policies, AreReadFromAListAndUnknownOnesNamed) {
  std::vector<std::string> problems;
  EXPECT_THAT(parse_policies("lru,table,lru", problems), ElementsAre("lru", "table"));
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_THAT(parse_policies("mru,", problems), IsEmpty());
  EXPECT_THAT(problems, SizeIs(2));
}

TEST(PlanSettings, HasEveryPolicyWithEveryBudget) {
  const auto settings = plan_settings({"lru", "table"}, {20, 40}, model());
  EXPECT_THAT(settings, ElementsAre(Setting{"lru", 0.2, 20'000}, Setting{"table", 0.2, 20'000},
                                    Setting{"lru", 0.4, 40'000}, Setting{"table", 0.4, 40'000}));
}

TEST(PlanSettings, RaisesABudgetToTheLeastAndHasItOnce) {
  EXPECT_THAT(plan_settings({"lru"}, {1, 5, 10}, model()), ElementsAre(Setting{"lru", 0.1, 10'000}));
}

TEST(PlanSettings, HasPoliciesWithoutABudgetOnce) {
  EXPECT_THAT(plan_settings({"resident", "demand"}, {20, 40}, model()),
              ElementsAre(Setting{"resident", 1, 0}, Setting{"demand", 0.1, 10'000}));
}

TEST(InRound, KeepsAllAndChangesWhoFollowsWhom) {
  const auto settings = plan_settings({"fifo", "lru", "table"}, {20, 40}, model());
  std::set<std::pair<std::string, std::string>> neighbours;
  for (int round = 0; round < 2; ++round) {
    const auto ordered = in_round(settings, round);
    EXPECT_THAT(ordered, ::testing::UnorderedElementsAreArray(settings));
    neighbours.insert(
        {ordered[0].policy + std::to_string(ordered[0].bytes), ordered[1].policy + std::to_string(ordered[1].bytes)});
  }
  EXPECT_THAT(neighbours, SizeIs(2));
}

TEST(ClusterOf, GivesThePredictorToTheTableAlone) {
  cli::ClusterOptions base;
  base.predictor = "P";
  const auto predictor = [&](const char* policy) { return cluster_of({policy, 0.2, 20'000}, base, "O").predictor; };
  EXPECT_EQ(predictor("table"), "P");
  EXPECT_EQ(predictor("oracle"), "O");
  for (const char* policy : {"resident", "demand", "fifo", "lru", "table-alone"}) EXPECT_EQ(predictor(policy), "none");
}

TEST(ClusterOf, EvictsAsThePolicySaysWithinTheBudget) {
  const auto options = cluster_of({"fifo", 0.2, 20'000}, {}, "");
  EXPECT_EQ(options.eviction, "fifo");
  EXPECT_EQ(options.expert_memory_bytes, 20'000U);
  EXPECT_EQ(cluster_of({"table-alone", 0.2, 20'000}, {}, "").eviction, "table");
}

}  // namespace
}  // namespace sida::bench

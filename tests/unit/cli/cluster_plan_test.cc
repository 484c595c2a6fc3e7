#include "cli/cluster_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/private_cluster.h"
#include "common/config/configure.h"

namespace sida::cli {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// The value after a flag; empty when the flag is not there.
std::string value_of(const ProcessPlan& plan, const std::string& flag) {
  const auto found = std::find(plan.arguments.begin(), plan.arguments.end(), flag);
  return found == plan.arguments.end() ? "" : *(found + 1);
}

class ClusterPlan : public ::testing::Test {
 protected:
  ClusterPlan() { options_.model = "/models/demo"; }
  ClusterOptions options_;
  ClusterPlace place_{"/opt/bin", "/tmp/run", "/models/demo/predictor", 8000, 8001, 8};
};

TEST_F(ClusterPlan, HasWorkersAPredictorAndARouter) {
  const auto plans = plan_cluster(options_, place_);
  std::vector<std::string> names;
  for (const auto& plan : plans) {
    names.push_back(plan.name);
  }
  EXPECT_THAT(names, ElementsAre("worker-0", "worker-1", "predictor-0", "router-0"));
  EXPECT_EQ(plans[0].program, "/opt/bin/sida-expert-worker");
  EXPECT_EQ(value_of(plans[3], "--worker"), "worker-0=ipc:///tmp/run/worker-0.sock");
  EXPECT_THAT(plans[3].arguments, Contains("worker-1=ipc:///tmp/run/worker-1.sock"));
  EXPECT_EQ(value_of(plans[3], "--predictor-endpoint"), value_of(plans[2], "--listen"));
  EXPECT_EQ(value_of(plans[3], "--admin-port"), "8001");
}

TEST_F(ClusterPlan, WithoutAPredictorTheRouterAsksNone) {
  place_.predictor.clear();
  const auto plans = plan_cluster(options_, place_);
  ASSERT_EQ(plans.size(), 3U);
  EXPECT_THAT(plans[2].arguments, Not(Contains("--predictor-endpoint")));
}

TEST_F(ClusterPlan, TheRouterKnowsEveryPredictor) {
  options_.predictors = 2;
  const auto plans = plan_cluster(options_, place_);
  ASSERT_EQ(plans.size(), 5U);
  EXPECT_EQ(plans[3].name, "predictor-1");
  EXPECT_EQ(value_of(plans[3], "--name"), "predictor-1");
  EXPECT_THAT(plans[4].arguments, Contains(value_of(plans[2], "--listen")));
  EXPECT_THAT(plans[4].arguments, Contains(value_of(plans[3], "--listen")));
}

TEST_F(ClusterPlan, ExpertMemoryIsSplitOverTheWorkers) {
  options_.expert_memory_bytes = 1000;
  EXPECT_EQ(value_of(plan_cluster(options_, place_)[1], "--expert-memory"), "500");
  options_.expert_memory_bytes = 0;
  EXPECT_THAT(plan_cluster(options_, place_)[1].arguments, Not(Contains("--expert-memory")));
}

TEST_F(ClusterPlan, CoresAreHalvedBetweenTrunkAndWorkers) {
  auto plans = plan_cluster(options_, place_);
  EXPECT_EQ(value_of(plans[0], "--threads"), "2");
  EXPECT_EQ(value_of(plans[3], "--threads"), "4");
  place_.cores = 2;
  plans = plan_cluster(options_, place_);
  EXPECT_EQ(value_of(plans[0], "--threads"), "1");
  EXPECT_EQ(value_of(plans[3], "--threads"), "1");
}

TEST(ClusterOptions, WhatIsNotServedYetIsRefused) {
  ClusterOptions options;
  config::Schema schema("sida serve", "");
  describe_cluster(schema, options, true);
  const auto loaded = config::load(
      schema, {{"--model=x", "--device=cuda", "--port=5", "--admin-port=5"}, [](const auto&) { return std::nullopt; }});
  EXPECT_THAT(loaded.problems, ElementsAre(HasSubstr("--device cuda"), HasSubstr("must differ")));
}

TEST(ClusterOptions, GoThroughServesFlagsUnchanged) {
  ClusterOptions options;
  options.model = "m";
  options.workers = 3;
  options.expert_memory_bytes = 12345;
  options.predictor = "none";
  options.predictors = 2;
  options.routing = "gated";
  options.predicted_top_k = 3;
  options.predicted_weights = "published";
  options.gated_confidence = 0.25;
  options.table_wait = std::chrono::milliseconds(7);
  options.agreement_share = 0.5;
  options.dtype = "bf16";
  options.served_model_name = "x";
  options.expert_capacity = "7";
  options.cpu_kernel = "scalar";
  options.tensor_channel = "zeromq";
  options.threads = 2;
  options.worker_threads = 5;
  options.log_level = "debug";
  auto arguments = serve_arguments(options);
  ASSERT_EQ(arguments.front(), "serve");
  arguments.erase(arguments.begin());

  ClusterOptions again;
  config::Schema schema("sida serve", "");
  describe_cluster(schema, again, true);
  EXPECT_THAT(config::load(schema, {arguments, [](const auto&) { return std::nullopt; }}).problems, IsEmpty());
  EXPECT_EQ(serve_arguments(again), serve_arguments(options));
}

}  // namespace
}  // namespace sida::cli

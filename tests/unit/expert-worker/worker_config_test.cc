#include "expert-worker/worker_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sida::worker {
namespace {

TEST(PlanMemory, CountsTheReadBufferAgainstTheBudget) {
  const auto plan = plan_memory(1000, 0, 100, 300, 50);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->slots, 3U);
  EXPECT_EQ(plan->budget_bytes, 1000U);
}

TEST(PlanMemory, TakesNoMoreSlotsThanTheModelHasExperts) {
  EXPECT_EQ(plan_memory(1'000'000, 0, 100, 300, 50)->slots, 50U);
}

TEST(PlanMemory, HoldsEverythingByDefaultWhenItFits) {
  const auto plan = plan_memory(0, 1'000'000, 100, 300, 50);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->slots, 50U);
  EXPECT_EQ(plan->budget_bytes, 15'100U);
}

TEST(PlanMemory, LeavesAFifthOfTheMemoryByDefault) {
  EXPECT_EQ(plan_memory(0, 1000, 100, 300, 50)->slots, 2U);
}

TEST(PlanMemory, RefusesABudgetBelowTwoExpertsAndNamesTheSmallestThatWorks) {
  const auto plan = plan_memory(699, 0, 100, 300, 50);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(plan.error().message, testing::HasSubstr("700 bytes"));
  EXPECT_EQ(plan_memory(700, 0, 100, 300, 50)->slots, 2U);
}

TEST(PlanMemory, IsContentWithOneSlotForAModelOfOneExpert) {
  EXPECT_EQ(plan_memory(400, 0, 100, 300, 1)->slots, 1U);
}

TEST(DataEndpoint, IsDerivedFromTheControlEndpoint) {
  EXPECT_EQ(data_endpoint("ipc:///run/sida/w.sock", 0), "ipc:///run/sida/w.sock-data");
  EXPECT_EQ(data_endpoint("tcp://127.0.0.1:5000", 0), "tcp://127.0.0.1:*");
  EXPECT_EQ(data_endpoint("tcp://[::1]:5000", 5001), "tcp://[::1]:5001");
}

TEST(SharedMemoryEndpoint, IsThereForUnixSocketsOnly) {
  EXPECT_EQ(shared_memory_endpoint("ipc:///run/sida/w.sock"), "shm:///run/sida/w.sock-rows");
  EXPECT_EQ(shared_memory_endpoint("tcp://127.0.0.1:5000"), "");
  EXPECT_EQ(shared_memory_endpoint("inproc://worker"), "");
}

}  // namespace
}  // namespace sida::worker

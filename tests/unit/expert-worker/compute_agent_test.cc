#include "expert-worker/agents/compute_agent.h"

#include <gtest/gtest.h>

#include "common/compute/backend.h"

namespace sida::worker {
namespace {

// A busy machine may take the processor away for longer than the measurement lasts. The worker would announce a speed
// made up from that time, and get no share for as long as it lives.
TEST(ComputeAgent, MeasuresItsSpeedWhenNoTimeIsLeft) {
  const auto memory = SlotMemory::reserve({.d_model = 64, .d_ff = 256, .dtype = DType::kFloat32}, 1);
  ASSERT_TRUE(memory.has_value());
  const auto backend = compute::make_cpu_backend({}).value();
  const double speed = measure_experts_per_second(*backend, *memory, SlotId{0}, std::chrono::milliseconds(0));
  EXPECT_GT(speed, 0);
  EXPECT_LT(speed, 1e8) << "an expert of 33,000 multiplications in less than 10 ns";
}

}  // namespace
}  // namespace sida::worker

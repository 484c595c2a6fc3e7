#include <gtest/gtest.h>

#include "common/compute/backend.h"

namespace sida::compute {
namespace {

TEST(CpuBackend, ScalarIsUsableEverywhereAndLast) {
  EXPECT_EQ(cpu_kernels().back(), "scalar");
}

TEST(CpuBackend, AutoTakesTheBestKernel) {
  EXPECT_EQ(make_cpu_backend({}).value()->capabilities().kernel, cpu_kernels().front());
}

TEST(CpuBackend, EveryKernelHasTheSameNumericsId) {
  const auto id = make_cpu_backend({.kernel = "scalar"}).value()->capabilities().numerics_id;
  for (const std::string& kernel : cpu_kernels()) {
    EXPECT_EQ(make_cpu_backend({.kernel = kernel}).value()->capabilities().numerics_id, id) << kernel;
  }
}

TEST(CpuBackend, UnknownKernelFailsAndNamesThoseThereAre) {
  const auto made = make_cpu_backend({.kernel = "mmx"});
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, ErrorCode::kInvalidArgument);
  for (const std::string& kernel : cpu_kernels()) EXPECT_NE(made.error().message.find(kernel), std::string::npos);
}

TEST(CpuBackend, ThreadsOutOfRangeFail) {
  EXPECT_EQ(make_cpu_backend({.threads = 0}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(make_cpu_backend({.threads = 5000}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(make_cpu_backend({.threads = 3}).value()->capabilities().threads, 3);
}

}  // namespace
}  // namespace sida::compute

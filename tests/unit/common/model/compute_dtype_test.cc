#include "common/model/compute_dtype.h"

#include <gtest/gtest.h>

namespace sida::model {
namespace {

TEST(ComputeDtype, FollowsTheCheckpointButComputesHalfPrecisionInSingle) {
  EXPECT_EQ(compute_dtype("auto", DType::kFloat16), DType::kFloat32);
  EXPECT_EQ(compute_dtype("auto", DType::kBFloat16), DType::kBFloat16);
  EXPECT_EQ(compute_dtype("auto", DType::kFloat32), DType::kFloat32);
  EXPECT_EQ(compute_dtype("bf16", DType::kFloat32), DType::kBFloat16);
  EXPECT_FALSE(compute_dtype("fp8", DType::kFloat32));
}

}  // namespace
}  // namespace sida::model

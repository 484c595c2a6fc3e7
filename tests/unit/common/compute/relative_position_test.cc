#include "common/compute/relative_position.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace sida::compute {
namespace {

// T5's formula. In double precision it is exact enough beside the thresholds that are powers of two.
std::int32_t formula(std::int64_t behind, std::int64_t buckets) {
  const std::int64_t exact = buckets / 2;
  if (behind < exact) return static_cast<std::int32_t>(behind);
  const double share =
      std::log(static_cast<double>(behind) / static_cast<double>(exact)) / std::log(128.0 / static_cast<double>(exact));
  const auto step = static_cast<std::int64_t>(share * static_cast<double>(buckets - exact) + 1e-9);
  return static_cast<std::int32_t>(std::min(exact + step, buckets - 1));
}

TEST(RelativePositionBucket, FollowsTheFormulaAtEveryDistance) {
  for (std::int64_t behind = 0; behind < 1000; ++behind) {
    EXPECT_EQ(relative_position_bucket(-behind, Direction::kBidirectional), formula(behind, 16)) << behind;
    EXPECT_EQ(relative_position_bucket(-behind, Direction::kCausal), formula(behind, 32)) << behind;
  }
}

TEST(RelativePositionBucket, KeysAfterTheQueryHaveBucketsOfTheirOwn) {
  for (std::int64_t ahead = 1; ahead < 1000; ++ahead) {
    EXPECT_EQ(relative_position_bucket(ahead, Direction::kBidirectional), 16 + formula(ahead, 16)) << ahead;
  }
}

TEST(RelativePositionBucket, KeysAfterACausalQueryFallInBucketZero) {
  EXPECT_EQ(relative_position_bucket(1, Direction::kCausal), 0);
  EXPECT_EQ(relative_position_bucket(500, Direction::kCausal), 0);
}

TEST(RelativePositionBucket, ChangesAtTheThresholdsOfHuggingFace) {
  EXPECT_EQ(relative_position_bucket(-22, Direction::kBidirectional), 10);
  EXPECT_EQ(relative_position_bucket(-23, Direction::kBidirectional), 11);
  EXPECT_EQ(relative_position_bucket(91, Direction::kBidirectional), 31);
  EXPECT_EQ(relative_position_bucket(-63, Direction::kCausal), 26);
  EXPECT_EQ(relative_position_bucket(-67, Direction::kCausal), 27);
  EXPECT_EQ(relative_position_bucket(-113, Direction::kCausal), 31);
}

}  // namespace
}  // namespace sida::compute

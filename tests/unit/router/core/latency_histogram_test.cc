#include "router/core/latency_histogram.h"

#include <gtest/gtest.h>

namespace sida::router {
namespace {

using Milliseconds = LatencyHistogram::Milliseconds;

TEST(LatencyHistogram, InterpolatesQuantilesWithinABucket) {
  LatencyHistogram times;
  for (int i = 0; i < 100; ++i) times.add(Milliseconds(10 + 0.05 * i));
  EXPECT_EQ(times.count(), 100U);
  EXPECT_NEAR(times.quantile(0.5).count(), 12.5, 0.1);
  EXPECT_NEAR(times.quantile(0.99).count(), 15, 0.1);
}

TEST(LatencyHistogram, PutsAnEndIntoItsOwnBucket) {
  LatencyHistogram times;
  times.add(Milliseconds(0.5));
  times.add(Milliseconds(0));
  EXPECT_EQ(times.counts()[0], 2U);
}

TEST(LatencyHistogram, SaysTheLastEndForWhatLiesBeyond) {
  LatencyHistogram times;
  EXPECT_EQ(times.quantile(0.5).count(), 0);
  times.add(std::chrono::hours(1));
  EXPECT_EQ(times.quantile(0.5).count(), LatencyHistogram::kEnds.back());
  EXPECT_EQ(times.counts().back(), 1U);
}

}  // namespace
}  // namespace sida::router

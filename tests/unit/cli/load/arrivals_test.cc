#include "cli/load/arrivals.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace sida::load {
namespace {

TEST(PoissonArrivals, ComeAtTheRateAndAscend) {
  const auto times = poisson_arrivals(50, 20'000, 7);
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
  EXPECT_NEAR(times.back().count(), 400, 12);  // Its standard deviation is 2.8 s.
}

TEST(PoissonArrivals, GapsAreExponential) {
  const auto times = poisson_arrivals(1, 20'000, 3);
  std::size_t longer_than_mean = 0;
  for (std::size_t at = 1; at < times.size(); ++at) longer_than_mean += (times[at] - times[at - 1]).count() > 1 ? 1 : 0;
  EXPECT_NEAR(static_cast<double>(longer_than_mean) / static_cast<double>(times.size()), std::exp(-1.0), 0.015);
}

TEST(PoissonArrivals, TheSeedDecides) {
  EXPECT_EQ(poisson_arrivals(5, 10, 1), poisson_arrivals(5, 10, 1));
  EXPECT_NE(poisson_arrivals(5, 10, 1), poisson_arrivals(5, 10, 2));
}

TEST(PoissonArrivals, AnInfiniteRateIsAllAtOnce) {
  EXPECT_EQ(poisson_arrivals(std::numeric_limits<double>::infinity(), 3, 1), std::vector<Seconds>(3, Seconds{0}));
}

}  // namespace
}  // namespace sida::load

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "common/compute/cpu/block_scalar.h"
// The block first: the function is written over it.
#include "common/compute/cpu/exponential.h"

namespace sida::compute::cpu {
namespace {

float exp_of(float x) {
  return exp_of_nonpositive(Block::broadcast(x)).lane[0];
}

TEST(Exponential, IsWithinTheDocumentedErrorOfDoublePrecision) {
  double worst = 0;
  const auto last = std::bit_cast<std::uint32_t>(87.0F);
  // Every 997th of the 1.1 billion values from -0 to -87.
  for (std::uint32_t bits = 0; bits <= last; bits += 997) {
    const float x = -std::bit_cast<float>(bits);
    const double exact = std::exp(static_cast<double>(x));
    const float rounded = static_cast<float>(exact);
    const double unit = static_cast<double>(rounded - std::nextafter(rounded, 0.0F));
    worst = std::max(worst, std::fabs(static_cast<double>(exp_of(x)) - exact) / unit);
  }
  RecordProperty("worst_units", std::to_string(worst));
  EXPECT_LT(worst, 1.03);
}

TEST(Exponential, IsExactlyOneAtZero) {
  EXPECT_EQ(exp_of(0.0F), 1.0F);
  EXPECT_EQ(exp_of(-0.0F), 1.0F);
}

TEST(Exponential, IsZeroBelowTheNormalNumbers) {
  EXPECT_GE(exp_of(-87.0F), std::numeric_limits<float>::min());
  EXPECT_EQ(exp_of(std::nextafter(-87.0F, -100.0F)), 0.0F);
  EXPECT_EQ(exp_of(-1e30F), 0.0F);
  EXPECT_EQ(exp_of(-std::numeric_limits<float>::infinity()), 0.0F);
}

TEST(Exponential, KeepsNan) {
  EXPECT_TRUE(std::isnan(exp_of(std::numeric_limits<float>::quiet_NaN())));
}

}  // namespace
}  // namespace sida::compute::cpu

#include "common/tensor/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace sida {
namespace {

TEST(DType, HalfToFloatAndBackKeepsEveryNumber) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = half_to_float(half);
    if (std::isnan(value)) continue;
    EXPECT_EQ(to_half(value), half);
  }
}

TEST(DType, ToHalfRoundsToNearestEven) {
  for (std::uint16_t half = 0; half < 0x7bff; ++half) {
    const float low = half_to_float(half);
    const auto next = static_cast<std::uint16_t>(half + 1);
    const float middle = (low + half_to_float(next)) / 2;  // Exact in single precision.
    EXPECT_EQ(to_half(middle), half % 2 == 0 ? half : next);
    EXPECT_EQ(to_half(std::nextafter(middle, 0.0F)), half);
    EXPECT_EQ(to_half(std::nextafter(middle, 1e6F)), next);
  }
}

TEST(DType, ToHalfKeepsInfinityAndNan) {
  EXPECT_EQ(to_half(65519.996F), 0x7bff);
  EXPECT_EQ(to_half(65520.0F), 0x7c00);
  EXPECT_EQ(to_half(-std::numeric_limits<float>::infinity()), 0xfc00);
  EXPECT_TRUE(std::isnan(half_to_float(to_half(std::numeric_limits<float>::quiet_NaN()))));
}

}  // namespace
}  // namespace sida

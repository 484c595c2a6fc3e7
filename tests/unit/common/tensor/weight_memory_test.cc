#include "common/tensor/weight_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace sida {
namespace {

bool is_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte value) { return value == std::byte{0}; });
}

TEST(WeightMemory, GivesAlignedZeroMemoryOneBehindTheOther) {
  WeightMemory memory;
  const auto first = memory.take(100);
  const auto second = memory.take(64);
  EXPECT_EQ(first.size(), 100U);
  EXPECT_EQ(second.size(), 64U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first.data()) % 64, 0U);
  EXPECT_EQ(second.data(), first.data() + 128);
  EXPECT_TRUE(is_zero(first));
  EXPECT_TRUE(is_zero(second));
}

TEST(WeightMemory, WhatIsLargerThanABlockFits) {
  WeightMemory memory;
  const auto small = memory.take(1);
  const auto large = memory.take((std::size_t{256} << 20U) + 1);
  small.front() = std::byte{1};
  large.front() = std::byte{2};
  large.back() = std::byte{3};
  EXPECT_EQ(small.front(), std::byte{1});
  EXPECT_EQ(memory.take(10).size(), 10U);
}

TEST(WeightMemory, NothingMovesWhenItIsMoved) {
  WeightMemory memory;
  const auto taken = memory.take(10);
  taken.front() = std::byte{7};
  const WeightMemory moved = std::move(memory);
  EXPECT_EQ(taken.front(), std::byte{7});
}

TEST(WeightMemory, NothingIsEmpty) {
  WeightMemory memory;
  EXPECT_TRUE(memory.take(0).empty());
}

}  // namespace
}  // namespace sida

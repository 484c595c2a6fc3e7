#include "common/compute/relative_position.h"

#include <algorithm>
#include <array>

namespace sida::compute {
namespace {

// First distance of each bucket.
constexpr std::array<std::uint8_t, 16> kBidirectionalFirst = {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91};
constexpr std::array<std::uint8_t, 32> kCausalFirst = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                                       16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113};
constexpr std::int64_t kDistanceMax = 127;  // Every farther distance is in the last bucket.

template <std::size_t Buckets>
constexpr auto bucket_by_distance(const std::array<std::uint8_t, Buckets>& first) {
  std::array<std::uint8_t, kDistanceMax + 1> bucket_of{};
  for (std::size_t bucket = 0; bucket < Buckets; ++bucket) {
    for (std::size_t distance = first[bucket]; distance < bucket_of.size(); ++distance) {
      bucket_of[distance] = static_cast<std::uint8_t>(bucket);
    }
  }
  return bucket_of;
}

constexpr auto kBidirectional = bucket_by_distance(kBidirectionalFirst);
constexpr auto kCausal = bucket_by_distance(kCausalFirst);

}  // namespace

std::int32_t relative_position_bucket(std::int64_t distance, Direction direction) {
  const std::int64_t behind = std::min(distance < 0 ? -distance : distance, kDistanceMax);
  if (direction == Direction::kCausal) return distance > 0 ? 0 : kCausal[static_cast<std::size_t>(behind)];
  const std::int32_t bucket = kBidirectional[static_cast<std::size_t>(behind)];
  return distance > 0 ? bucket + 16 : bucket;
}

}  // namespace sida::compute

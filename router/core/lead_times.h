// How long something was there before it was needed: a histogram with fixed buckets, so that it needs no memory per
// sample.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>

namespace sida::router {

class LeadTimes {
 public:
  static constexpr std::size_t kBuckets = 26;  // Bucket i ends at 2^i us; the last one holds all above 16 s.

  void add(std::chrono::microseconds lead) {
    const auto micros = static_cast<std::uint64_t>(std::max<std::int64_t>(0, lead.count()));
    const auto bucket = micros <= 1 ? 0U : static_cast<unsigned>(std::bit_width(micros - 1));
    ++counts_[std::min<std::size_t>(bucket, kBuckets - 1)];
    ++count_;
    sum_ += std::chrono::microseconds(micros);
  }

  // The end of the bucket that holds the quantile, so too long by a factor of two at most; zero when empty.
  [[nodiscard]] std::chrono::microseconds quantile(double share) const {
    std::uint64_t below = 0;
    for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
      below += counts_[bucket];
      if (count_ > 0 && static_cast<double>(below) >= share * static_cast<double>(count_)) return end(bucket);
    }
    return std::chrono::microseconds(0);
  }

  [[nodiscard]] static std::chrono::microseconds end(std::size_t bucket) {
    return std::chrono::microseconds(1LL << bucket);
  }
  [[nodiscard]] const std::array<std::uint64_t, kBuckets>& counts() const { return counts_; }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::chrono::microseconds sum() const { return sum_; }

 private:
  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t count_ = 0;
  std::chrono::microseconds sum_{0};
};

}  // namespace sida::router

// How long something took: a histogram with fixed buckets, so that it needs no memory per sample.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace sida::router {

class LatencyHistogram {
 public:
  using Milliseconds = std::chrono::duration<double, std::milli>;

  // Ends of the buckets, in milliseconds: from a small model's decoder step to the longest request. A last bucket
  // without end follows.
  static constexpr std::array<double, 32> kEnds{0.5,  0.7,  1,    1.5,  2,     3,     5,     7,     10,    15,    20,
                                                30,   50,   70,   100,  150,   200,   300,   500,   700,   1000,  1500,
                                                2000, 3000, 5000, 7000, 10000, 15000, 20000, 30000, 60000, 120000};
  static constexpr std::size_t kBuckets = kEnds.size() + 1;

  void add(Milliseconds time) {
    const auto end = std::lower_bound(kEnds.begin(), kEnds.end(), time.count());
    ++counts_[static_cast<std::size_t>(end - kEnds.begin())];
    ++count_;
    sum_ += time;
  }

  // Interpolated within its bucket; zero when empty, the last end when it lies beyond.
  [[nodiscard]] Milliseconds quantile(double share) const {
    const double wanted = share * static_cast<double>(count_);
    double below = 0;
    for (std::size_t bucket = 0; bucket < kEnds.size(); ++bucket) {
      const auto here = static_cast<double>(counts_[bucket]);
      if (here > 0 && below + here >= wanted) {
        const double begin = bucket == 0 ? 0 : kEnds[bucket - 1];
        return Milliseconds(begin + (kEnds[bucket] - begin) * (wanted - below) / here);
      }
      below += here;
    }
    return Milliseconds(count_ == 0 ? 0 : kEnds.back());
  }

  [[nodiscard]] const std::array<std::uint64_t, kBuckets>& counts() const { return counts_; }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] Milliseconds sum() const { return sum_; }

 private:
  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t count_ = 0;
  Milliseconds sum_{0};
};

// Of the sequences since start, from their admission by the router agent.
struct ServingTimes {
  LatencyHistogram queued;          // To the step that encodes it.
  LatencyHistogram first_token;     // To its first generated token.
  LatencyHistogram between_tokens;  // From one generated token to the next.
  LatencyHistogram total;           // To its answer, for those that were answered.
};

}  // namespace sida::router

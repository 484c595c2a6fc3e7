// Seeded random choices. The same seed gives the same run on every machine: no standard distribution is used, since
// their results are not specified.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>

namespace sida::sim {

class SimRandom {
 public:
  explicit SimRandom(std::uint64_t seed) : engine_(seed) {}

  // In [low, high]. The small bias of the remainder does not matter here.
  std::uint64_t pick(std::uint64_t low, std::uint64_t high) { return low + engine_() % (high - low + 1); }
  bool chance(std::uint64_t percent) { return pick(1, 100) <= percent; }
  std::chrono::microseconds between(std::chrono::microseconds low, std::chrono::microseconds high) {
    return std::chrono::microseconds(
        pick(static_cast<std::uint64_t>(low.count()), static_cast<std::uint64_t>(high.count())));
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace sida::sim

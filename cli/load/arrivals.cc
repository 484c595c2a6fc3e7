#include "cli/load/arrivals.h"

#include <cmath>
#include <random>

namespace sida::load {

std::vector<Seconds> poisson_arrivals(double rate, std::size_t count, std::uint64_t seed) {
  std::vector<Seconds> times(count, Seconds{0});
  if (!std::isfinite(rate)) return times;
  std::mt19937_64 random(seed);
  Seconds at{0};
  for (Seconds& time : times) {
    // Not std::exponential_distribution, whose numbers differ between libraries. (0, 1], so that the logarithm is
    // finite.
    const double uniform = (static_cast<double>(random() >> 11U) + 1) * 0x1p-53;
    at += Seconds(-std::log(uniform) / rate);
    time = at;
  }
  return times;
}

}  // namespace sida::load

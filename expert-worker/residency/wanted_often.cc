#include "expert-worker/residency/wanted_often.h"

#include <cmath>
#include <limits>

namespace sida::worker {

// A demand at time t counts 2^((t - now) / half_life): levels need not change while time goes on.
void WantedOften::demanded(ExpertKey key) {
  const double now = static_cast<double>(++demands_) / half_life_;
  const auto [found, first] = levels_.try_emplace(key, now);
  if (!first) found->second = now + std::log2(1 + std::exp2(found->second - now));
}

double WantedOften::level(ExpertKey key) const {
  const auto found = levels_.find(key);
  return found == levels_.end() ? -std::numeric_limits<double>::infinity() : found->second;
}

}  // namespace sida::worker

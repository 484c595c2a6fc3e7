// How often each expert was demanded lately: a count in which a demand weighs half as much after so many others. Where
// nothing is known of the future, this is the guess of it (LRFU: Lee et al. 2001). Bookkeeping only.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "common/base/ids.h"

namespace sida::worker {

// One thread. One entry per expert ever demanded.
class WantedOften {
 public:
  // `half_life`: demands, of all experts together; more than 0.
  explicit WantedOften(double half_life) : half_life_(half_life) {}

  void demanded(ExpertKey key);
  // The logarithm to base 2 of the count, but for what is the same for all experts at one time. Higher: more often.
  [[nodiscard]] double level(ExpertKey key) const;

 private:
  const double half_life_;
  std::uint64_t demands_ = 0;
  std::unordered_map<ExpertKey, double> levels_;
};

}  // namespace sida::worker

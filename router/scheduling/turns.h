// When it would have been somebody's turn, had everybody been taken in order of arrival: the measure of how long one
// has been overtaken.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>

#include "common/runtime/clock.h"

namespace sida::router {

class Turns {
 public:
  // Numbers count up from 1.
  std::uint64_t arrived(TimePoint now) {
    if (gone_ == arrivals_) reached_.assign(1, now);  // Nobody in front.
    return ++arrivals_;
  }
  // One of those that arrived is taken, or leaves.
  void gone(TimePoint now) {
    ++gone_;
    reached_.push_back(now);
  }
  // As many have gone as were in front of it: since when; TimePoint::max(): not yet.
  [[nodiscard]] TimePoint turn_of(std::uint64_t number) const {
    if (number > gone_ + 1) return TimePoint::max();
    const std::uint64_t first = gone_ + 2 - reached_.size();  // The number whose turn reached_.front() was.
    return reached_[number < first ? 0 : number - first];
  }
  // Nobody asks for numbers below this one any more.
  void forget_below(std::uint64_t number) {
    while (reached_.size() > 1 && gone_ + 2 - reached_.size() < number) reached_.pop_front();
  }

 private:
  std::uint64_t arrivals_ = 0;
  std::uint64_t gone_ = 0;
  std::deque<TimePoint> reached_;  // When each of the last turns came; the newest is that of number gone_ + 1.
};

}  // namespace sida::router

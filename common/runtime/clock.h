// Time as a value. Cores get `now` as an argument and never read a clock; shells read steady_now().
#pragma once

#include <chrono>

namespace sida {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;

inline TimePoint steady_now() {
  return Clock::now();
}

inline constexpr std::chrono::milliseconds kHeartbeatInterval{100};
// A peer that is silent, or busy without progress, for this long is lost. Ten missed heartbeats, since two cores shared
// by many processes delay a healthy thread by several hundred milliseconds.
inline constexpr std::chrono::milliseconds kHeartbeatTimeout{1000};

}  // namespace sida

// How long something took, on a machine that others may use too.
#pragma once

#include <ctime>

namespace sida::bench {

// The calling thread's CPU time, which waiting for a core does not lengthen: for one thread.
// Wall time: for several.
enum class Time { kThreadCpu, kWall };

class Stopwatch {
 public:
  explicit Stopwatch(Time time) : clock_(time == Time::kThreadCpu ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC) {
    clock_gettime(clock_, &begin_);
  }
  [[nodiscard]] double seconds() const {
    timespec now{};
    clock_gettime(clock_, &now);
    return static_cast<double>(now.tv_sec - begin_.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec - begin_.tv_nsec);
  }

 private:
  clockid_t clock_;
  timespec begin_{};
};

}  // namespace sida::bench

// Virtual time: events run in order of their time, those of one time in the order in which they were made.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "common/runtime/clock.h"

namespace sida::sim {

class EventLoop {
 public:
  [[nodiscard]] TimePoint now() const { return now_; }

  void at(TimePoint time, std::function<void()> run) {
    events_.push({std::max(time, now_), next_order_++, std::move(run)});
  }
  void after(Duration delay, std::function<void()> run) { at(now_ + delay, std::move(run)); }

  // Until no event is left before `end`, or `done` says so. Returns the number of events run.
  std::uint64_t run(TimePoint end, const std::function<bool()>& done) {
    std::uint64_t count = 0;
    while (!events_.empty() && events_.top().time <= end && !done()) {
      // The queue only lends constant access; the event leaves it at once.
      auto event = std::move(const_cast<Event&>(events_.top()));
      events_.pop();
      now_ = event.time;
      event.run();
      ++count;
    }
    return count;
  }

 private:
  struct Event {
    TimePoint time;
    std::uint64_t order = 0;
    std::function<void()> run;
    bool operator<(const Event& other) const {  // The queue's top is its greatest.
      return time != other.time ? time > other.time : order > other.order;
    }
  };

  TimePoint now_{};
  std::uint64_t next_order_ = 0;
  std::priority_queue<Event> events_;
};

}  // namespace sida::sim

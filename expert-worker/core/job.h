// One admitted dispatch while the worker works on it.
#pragma once

#include <cstdint>
#include <vector>

#include "common/proto/messages.h"
#include "common/runtime/clock.h"
#include "expert-worker/core/worker_actions.h"

namespace sida::worker {

// Rows of one dispatch for one expert.
struct JobGroup {
  enum class State { kWaiting, kReady, kComputing, kDone };
  ExpertKey key;
  std::uint32_t first_row = 0;
  std::uint32_t rows = 0;
  State state = State::kWaiting;
  bool missed = false;  // It was not resident when its turn came.
  SlotId slot;          // Pinned while ready or computing.
};

struct Job {
  PeerId peer;
  proto::DispatchId id;
  proto::TensorShape shape;
  TimePoint deadline = TimePoint::max();  // Nothing is started for it any more from then on.
  std::vector<JobGroup> groups;
  std::size_t groups_left = 0;
  bool estimated = false;
  bool ended = false;  // Cancelled or failed: nothing more is started, and the end is not reported.
  std::chrono::microseconds compute{0};

  // Something of it has not been started.
  [[nodiscard]] bool waiting() const {
    for (const JobGroup& group : groups) {
      if (group.state == JobGroup::State::kWaiting || group.state == JobGroup::State::kReady) return true;
    }
    return false;
  }
  [[nodiscard]] bool computing() const {
    for (const JobGroup& group : groups) {
      if (group.state == JobGroup::State::kComputing) return true;
    }
    return false;
  }
};

}  // namespace sida::worker

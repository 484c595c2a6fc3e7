// What the compute and store threads tell the link thread.
#pragma once

#include <chrono>
#include <variant>
#include <vector>

#include "common/runtime/mailbox.h"
#include "expert-worker/core/worker_actions.h"

namespace sida::worker {

struct LoadEnded {
  SlotId slot;
  Result<void> outcome;
  std::chrono::microseconds took;
};
struct ComputeEnded {
  JobId job;
  std::vector<GroupWork> groups;
  std::chrono::microseconds took;
};
using WorkerEvent = std::variant<LoadEnded, ComputeEnded>;
using WorkerEvents = Mailbox<WorkerEvent>;

}  // namespace sida::worker

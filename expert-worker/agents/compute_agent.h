// The thread that computes expert FFNs.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "common/compute/backend.h"
#include "common/runtime/mailbox.h"
#include "common/transport/frame.h"
#include "expert-worker/agents/worker_events.h"
#include "expert-worker/residency/slot_memory.h"

namespace sida::worker {

// Rows of one dispatch: input as received, output as it will be sent. [rows, d_model], same dtype. Shared, since a
// dropped job may still be computed. The compute thread writes the rows of its groups, nobody else writes.
struct JobRows {
  transport::Frame input;
  std::vector<std::byte> output;
  proto::TensorShape shape;
};

class ComputeAgent {
 public:
  struct Order {
    ComputeGroups work;
    std::shared_ptr<JobRows> rows;
  };

  // `memory` and `events` outlive the agent. Slots of an order stay pinned until its ComputeEnded.
  ComputeAgent(std::unique_ptr<compute::Backend> backend, const SlotMemory& memory, WorkerEvents& events);
  ~ComputeAgent();  // Ends after the order in progress.
  ComputeAgent(const ComputeAgent&) = delete;
  ComputeAgent& operator=(const ComputeAgent&) = delete;

  // Any thread. The core bounds how many are under way.
  void compute(Order order);

  // Moves while the thread computes; any thread.
  [[nodiscard]] std::uint64_t progress() const { return progress_.load(std::memory_order_relaxed); }

 private:
  void run();
  void compute_group(const GroupWork& group, JobRows& rows);

  std::unique_ptr<compute::Backend> backend_;
  const SlotMemory& memory_;
  WorkerEvents& events_;
  std::vector<std::byte> aligned_input_;
  std::atomic<std::uint64_t> progress_{0};
  Mailbox<std::optional<Order>> orders_{64};  // Nothing: stop.
  std::thread thread_;
};

// One-row expert calls per second with the weights in `slot`, measured for about `time`, and over a few calls at least.
double measure_experts_per_second(compute::Backend& backend, const SlotMemory& memory, SlotId slot,
                                  std::chrono::milliseconds time);

}  // namespace sida::worker

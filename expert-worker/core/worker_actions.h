// What the worker core is told at start, and what it says: plain data.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/proto/messages.h"
#include "common/transport/control_link.h"
#include "expert-worker/residency/load_queue.h"
#include "expert-worker/residency/prefetch_admission.h"
#include "expert-worker/residency/slot_table.h"

namespace sida::worker {

using transport::PeerId;
using JobId = Id<struct JobTag, std::uint64_t>;  // One admitted dispatch; counts up.

// What the worker serves. `welcome` is what routers are answered, complete.
struct WorkerIdentity {
  proto::Welcome welcome;
  DType compute_dtype = DType::kFloat32;
  std::uint32_t d_model = 0;
  std::int32_t moe_layers = 0;
  std::int32_t experts_per_layer = 0;
  [[nodiscard]] std::uint64_t experts_total() const {
    return static_cast<std::uint64_t>(moe_layers) * static_cast<std::uint64_t>(experts_per_layer);
  }
};

struct WorkerLimits {
  Eviction eviction = Eviction::kTable;
  PrefetchMode prefetch = PrefetchMode::kAuto;
  std::size_t jobs_max = 4096;                       // Dispatches not yet answered; beyond: failure kOverloaded.
  std::uint64_t job_bytes_max = 512U << 20U;         // Their rows; beyond: failure kOverloaded.
  std::size_t peers_max = 4096;                      // Routers; further ones are refused.
  std::size_t prefetch_max = 16384;                  // Uses expected; beyond it what is needed last is dropped.
  std::chrono::milliseconds expected_for{10'000};    // Advice older than that is forgotten.
  std::size_t loads_in_flight_max = 2;               // Demanded experts on their way from disk.
  std::size_t read_pieces = 1;                       // In which an expert is read; at least one.
  std::size_t computes_in_flight_max = 2;            // One runs while the next waits, so that no time is lost between.
  std::chrono::milliseconds roster_grace{500};       // Without a roster for so long, all experts are its own.
  std::chrono::milliseconds router_timeout{10'000};  // A router silent for so long is forgotten.
  std::chrono::milliseconds residency_interval{250};
  // How long experts of others stay after the last demand for any: a router that avoids their owner wants them again.
  std::chrono::milliseconds foreign_stay{2'000};
  std::chrono::microseconds first_load_time{20'000};  // Of one expert, until one was measured.
};

// Rows [first_row, first_row + rows) of the job through the expert in the slot.
struct GroupWork {
  std::uint32_t first_row = 0;
  std::uint32_t rows = 0;
  SlotId slot;
};

struct SendControl {
  PeerId peer;
  proto::Message message;
};
struct SendTensor {  // Without rows.
  PeerId peer;
  proto::Message message;
};
// The dispatch just handed in is job `job`: keep its rows, make room for the result.
struct AdmitJob {
  JobId job;
};
using LoadExpert = LoadOrder;  // Ends with load_ended().
// A load under way that was only expected is demanded now.
struct DemandLoad {
  SlotId slot;
};
// Nobody wants a load under way any more: it ends with an error, unless it has ended already.
struct CancelLoad {
  SlotId slot;
};
struct ComputeGroups {
  JobId job;
  std::vector<GroupWork> groups;
};
// Send the result's rows and forget the job.
struct FinishJob {
  JobId job;
  PeerId peer;
  proto::DispatchResult result;
};
// Forget the job; nothing computes it any more.
struct DropJob {
  JobId job;
};
using WorkerAction = std::variant<SendControl, SendTensor, AdmitJob, LoadExpert, DemandLoad, CancelLoad, ComputeGroups,
                                  FinishJob, DropJob>;
using WorkerActions = std::vector<WorkerAction>;

// Since start.
struct WorkerCounters {
  std::uint64_t hits = 0;    // Experts of dispatches that were resident.
  std::uint64_t misses = 0;  // Experts read from disk for a dispatch.
  std::uint64_t rows_served = 0;
  std::uint64_t dispatches = 0;
  std::uint64_t dispatches_refused = 0;  // Overload, draining, or not ours.
  std::uint64_t deadlines_missed = 0;    // Dispatches given up because nobody waits for them any more.
  std::uint64_t malformed_messages = 0;  // Dropped.
  std::uint64_t loads = 0;
  std::uint64_t prefetches = 0;            // Experts read because of advice.
  std::uint64_t prefetches_useful = 0;     // Of these, experts that were resident when first demanded.
  std::uint64_t prefetches_late = 0;       // Experts that were still on their way then.
  std::uint64_t prefetches_wasted = 0;     // Experts that were evicted before anybody wanted them.
  std::uint64_t prefetches_cancelled = 0;  // Experts that nobody expected any more before they were there.
  std::uint64_t load_failures = 0;
};

}  // namespace sida::worker

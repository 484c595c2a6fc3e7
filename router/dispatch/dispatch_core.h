// Decides where rows go and what happens when they do not come back. No I/O, no clock, no rows: only indices.
//
// A *call* is one MoE layer over the rows of one micro-batch. The core splits it into *parts* (one per worker, split
// again above the byte limits), and a call ends exactly once: kComplete when every row has come back once, or kFailed.
// Lost workers: their rows are always sent again. Deadlines missed: sent again to another worker within the resend
// budget, a tenth of dispatches; beyond it the core waits on. A result of a superseded attempt is ignored, unless its
// rows are still missing: all workers of one numerics id give the same bits.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/proto/messages.h"
#include "common/runtime/clock.h"

namespace sida::router {

using CallId = Id<struct CallTag, std::uint64_t>;

struct DispatchLimits {
  std::chrono::milliseconds part_deadline{2000};  // Without an estimate; then the row is sent to another worker.
  double resend_budget = 0.1;                // Of parts sent; for late parts only. Lost ones are always sent again.
  int attempts_max = 8;                      // Per row; then the call fails with kUnavailable.
  std::uint64_t part_bytes_max = 8U << 20U;  // Larger parts are split.
  std::chrono::milliseconds no_worker_patience{5000};  // A call waits this long for a first live worker.
};

// Rows of one call for one worker, grouped by expert, in ascending row order within an expert.
struct Part {
  CallId call;
  WorkerId worker;
  proto::DispatchId id;
  std::vector<proto::Dispatch::Group> groups;
  std::vector<std::int32_t> rows;  // Row indices of the call, in the order of the groups.
};

// What the shell does next, in order.
struct SendPart {
  Part part;
};
// Copy result row i to call row rows[i].
struct AcceptRows {
  CallId call;
  std::vector<std::int32_t> rows;  // -1: already there, skip.
  WorkerId worker;
};
struct CancelPart {
  WorkerId worker;
  proto::DispatchId id;
};
struct CompleteCall {
  CallId call;
};
struct FailCall {
  CallId call;
  Error error;
};
using DispatchAction = std::variant<SendPart, AcceptRows, CancelPart, CompleteCall, FailCall>;
using DispatchActions = std::vector<DispatchAction>;

// Counters since start, for metrics.
struct DispatchCounters {
  std::uint64_t parts_sent = 0;
  std::uint64_t rows_sent = 0;
  std::uint64_t resends_lost = 0;        // Worker gone.
  std::uint64_t resends_late = 0;        // Deadline missed.
  std::uint64_t resends_failed = 0;      // Worker answered with a failure.
  std::uint64_t late_results = 0;        // Ignored duplicates.
  std::uint64_t malformed_results = 0;   // Unknown id or wrong row count.
  std::uint64_t numerics_crossings = 0;  // Rows of one call computed under different numerics ids.
};

// One thread. Every method takes the time and returns what to do.
class DispatchCore {
 public:
  // `experts_total`: of the model, all MoE layers together, for the weights of placement.
  DispatchCore(RouterId router, std::uint64_t row_bytes, std::uint64_t experts_total, DispatchLimits limits);

  // The workers that may be given rows: live, welcomed, not draining. Those missing from the list are lost.
  DispatchActions members_changed(std::vector<proto::Member> members, TimePoint now);

  // experts[i] serves row i; -1: no expert (dropped by capacity), the row is skipped. Ids are valid for the layer.
  // `deadline`: of the request; the call fails with kDeadlineExceeded after it.
  DispatchActions start(CallId call, StepId step, LayerId layer, std::span<const std::int32_t> experts,
                        TimePoint deadline, TimePoint now);

  DispatchActions result(WorkerId worker, const proto::DispatchResult& result, TimePoint now);
  DispatchActions failure(WorkerId worker, const proto::DispatchFailure& failure, TimePoint now);
  void estimate(WorkerId worker, const proto::Estimate& estimate, TimePoint now);
  // The transport did not take the part; it counts as an attempt without a worker's fault.
  DispatchActions send_refused(const proto::DispatchId& id, TimePoint now);
  // The caller gave up (all its sequences were cancelled).
  DispatchActions cancel(CallId call, TimePoint now);

  DispatchActions tick(TimePoint now);
  // When tick() next has something to do; TimePoint::max() when nothing waits.
  [[nodiscard]] TimePoint next_deadline() const;

  [[nodiscard]] const DispatchCounters& counters() const { return counters_; }
  // Row bytes and parts in flight to a worker, for credits and metrics.
  [[nodiscard]] std::uint64_t bytes_in_flight(WorkerId worker) const;

 private:
  DispatchCounters counters_;
};

}  // namespace sida::router

// Decides where rows go and what happens when they do not come back. No I/O, no clock, no rows: only indices.
//
// A *call* is one MoE layer over the rows of one micro-batch. The core splits it into *parts* (one per worker, split
// again above the byte limits), and a call ends exactly once: kComplete when every row has come back once, or kFailed.
// Lost workers: their rows are always sent again. Deadlines missed: sent again to another worker within the resend
// budget, a tenth of dispatches; beyond it the core waits on. A result of a superseded attempt is ignored, unless its
// rows are still missing: all workers of one numerics id give the same bits.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "common/base/ids.h"
#include "common/proto/messages.h"
#include "common/runtime/clock.h"
#include "router/dispatch/call_state.h"
#include "router/dispatch/dispatch_actions.h"
#include "router/dispatch/worker_table.h"

namespace sida::router {

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
  // Rows of one call that need a worker, and what is known about them.
  struct Unplaced {
    std::vector<std::int32_t> rows;
    std::optional<std::uint64_t> numerics = std::nullopt;  // Of the worker that had them before.
    bool after_delay = false;                              // Workers that failed them may get them again.
  };
  using Parts = std::map<proto::DispatchId, InFlight>;

  void place(CallId id, Unplaced unplaced, TimePoint now, DispatchActions& actions);
  void enqueue(CallId id, Call& call, const RoutesByWorker& routes, TimePoint now);
  void send_queued(TimePoint now, DispatchActions& actions);
  void accept(InFlight part, TimePoint now, DispatchActions& actions);
  void drop_served_parts(Call& call, DispatchActions& actions);
  void fail_part(const proto::DispatchId& id, const Error& error, TimePoint now, DispatchActions& actions);
  void leave_worker(WorkerId worker, bool lost, std::map<CallId, Unplaced>& unplaced);
  void hurry(const proto::DispatchId& id, TimePoint now, DispatchActions& actions);
  void tick_call(CallId id, TimePoint now, DispatchActions& actions);
  void end_call(CallId id, DispatchActions& actions);
  InFlight take_part(const proto::DispatchId& id);
  [[nodiscard]] Parts::iterator find_part(WorkerId worker, const proto::DispatchId& id);
  [[nodiscard]] bool was_ours(const proto::DispatchId& id) const;
  [[nodiscard]] std::size_t part_rows_max() const;

  const RouterId router_;
  const std::uint64_t row_bytes_;
  const DispatchLimits limits_;
  WorkerTable workers_;
  std::map<CallId, Call> calls_;
  Parts parts_;
  std::uint32_t next_part_ = 0;  // Never reused within a router: a late result cannot be taken for another.
  DispatchCounters counters_;
};

}  // namespace sida::router

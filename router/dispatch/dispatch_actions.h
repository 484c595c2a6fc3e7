// What the dispatch core says: limits, parts, actions, counters. Plain data.
#pragma once

#include <chrono>
#include <cstdint>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/proto/messages.h"
#include "router/dispatch/expert_lookups.h"

namespace sida::router {

using CallId = Id<struct CallTag, std::uint64_t>;

struct DispatchLimits {
  std::chrono::milliseconds part_deadline{2000};  // Without an estimate; then the row is sent to another worker.
  double resend_budget = 0.1;                // Of parts sent; for late parts only. Lost ones are always sent again.
  int attempts_max = 8;                      // Per row; then the call fails with kUnavailable.
  std::uint64_t part_bytes_max = 8U << 20U;  // Larger parts are split.
  std::chrono::milliseconds no_worker_patience{5000};  // A call waits this long for a first live worker.
  // Before rows go back to a worker that failed them, when no other is left; doubles with each attempt, up to a second.
  std::chrono::milliseconds retry_delay{20};
  // A part without an answer for so long is given up like one of a lost worker: some message must have been lost.
  // Longer by the estimate.
  std::chrono::milliseconds part_lost_after{30'000};
  std::chrono::milliseconds estimate_max{60'000};  // A longer one is cut to this.
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
  std::uint64_t resends_lost = 0;        // Worker gone, or silent for too long.
  std::uint64_t resends_late = 0;        // Deadline missed.
  std::uint64_t resends_failed = 0;      // Worker answered with a failure.
  std::uint64_t late_results = 0;        // Ignored duplicates.
  std::uint64_t malformed_results = 0;   // Unknown id or wrong row count.
  std::uint64_t numerics_crossings = 0;  // Rows of one call computed under different numerics ids.
  LookupsByLayer lookups;                // Of results that were not late.
};

}  // namespace sida::router

// What the dispatch core remembers of a call and of a part.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/runtime/clock.h"
#include "router/dispatch/dispatch_actions.h"
#include "router/dispatch/part_planner.h"

namespace sida::router {

using RoutesByWorker = std::map<WorkerId, std::vector<RowRoute>>;

// Every row that is not done is either unplaced or in exactly one part that is not superseded.
struct Call {
  StepId step;
  LayerId layer;
  TimePoint deadline;
  std::vector<std::int32_t> experts;   // Per row; -1: none.
  std::vector<std::uint8_t> done;      // Per row; 1 also for rows without an expert.
  std::vector<std::uint8_t> attempts;  // Per row: parts sent with it.
  std::size_t rows_left = 0;
  std::vector<proto::DispatchId> parts;                   // Queued or in flight.
  std::map<std::int32_t, std::vector<WorkerId>> avoided;  // Per row: workers that failed it, longest ago first.
  std::vector<std::int32_t> unplaced;                     // Rows for which there is no worker now.
  TimePoint retry_at = TimePoint::max();                  // When `unplaced` may go back to workers that failed them.
  TimePoint give_up_at = TimePoint::max();                // When rows that nobody covers fail the call.
  std::optional<std::uint64_t> numerics;                  // Of the first rows accepted.
  std::string last_error;                                 // Of a worker, for people.

  [[nodiscard]] std::vector<std::int32_t> missing(const std::vector<std::int32_t>& rows) const {
    std::vector<std::int32_t> result;
    std::ranges::copy_if(rows, std::back_inserter(result), [&](std::int32_t row) { return !is_done(row); });
    return result;
  }
  [[nodiscard]] bool is_done(std::int32_t row) const { return done[static_cast<std::size_t>(row)] != 0; }
  [[nodiscard]] bool all_done(const std::vector<std::int32_t>& rows) const {
    return std::ranges::all_of(rows, [&](std::int32_t row) { return is_done(row); });
  }
  [[nodiscard]] ExpertKey key(std::int32_t row) const {
    return {layer, ExpertId{experts[static_cast<std::size_t>(row)]}};
  }
  [[nodiscard]] int attempts_of(const std::vector<std::int32_t>& rows) const {
    int most = 0;
    for (std::int32_t row : rows) most = std::max(most, int{attempts[static_cast<std::size_t>(row)]});
    return most;
  }
  // Moves the worker to the end: the one that failed longest ago is tried first when nobody else is left.
  void avoid(const std::vector<std::int32_t>& rows, WorkerId worker) {
    for (std::int32_t row : rows) {
      std::vector<WorkerId>& workers = avoided[row];
      std::erase(workers, worker);
      workers.push_back(worker);
    }
  }
  [[nodiscard]] const std::vector<WorkerId>& avoided_by(std::int32_t row) const {
    static const std::vector<WorkerId> kNobody;
    auto found = avoided.find(row);
    return found == avoided.end() ? kNobody : found->second;
  }
};

struct InFlight {
  Part part;
  std::uint64_t numerics = 0;  // Of its worker.
  bool sent = false;           // Else it waits for credit.
  bool superseded = false;     // Late: its rows were sent to another worker too.
  bool estimated = false;      // The one estimate was used.
  TimePoint deadline;          // Then it is late.
  TimePoint lost_at;           // Then it is given up. Of sent parts.

  // When the core looks at it next.
  [[nodiscard]] TimePoint next_look() const { return superseded ? lost_at : deadline; }
};

}  // namespace sida::router

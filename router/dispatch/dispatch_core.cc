#include "router/dispatch/dispatch_core.h"

#include <algorithm>
#include <limits>
#include <string>

namespace sida::router {

DispatchCore::DispatchCore(RouterId router, std::uint64_t row_bytes, std::uint64_t experts_total, DispatchLimits limits)
    : router_(router), row_bytes_(row_bytes), limits_(limits), workers_(experts_total) {
  SIDA_CHECK(row_bytes > 0);
  SIDA_CHECK(limits.attempts_max > 0 && limits.attempts_max < 256);
}

DispatchActions DispatchCore::members_changed(std::vector<proto::Member> members, TimePoint now) {
  DispatchActions actions;
  const WorkerTable::Change change = workers_.replace(std::move(members));
  std::map<CallId, Unplaced> unplaced;
  for (WorkerId worker : change.lost) leave_worker(worker, true, unplaced);
  for (WorkerId worker : change.draining) leave_worker(worker, false, unplaced);
  for (auto& [id, call] : calls_) {
    if (call.unplaced.empty()) continue;
    std::vector<std::int32_t>& rows = unplaced[id].rows;
    rows.insert(rows.end(), call.unplaced.begin(), call.unplaced.end());
    call.unplaced.clear();
  }
  for (auto& [id, rows] : unplaced) place(id, std::move(rows), now, actions);
  send_queued(now, actions);
  return actions;
}

DispatchActions DispatchCore::start(CallId id, StepId step, LayerId layer, std::span<const std::int32_t> experts,
                                    TimePoint deadline, TimePoint now) {
  DispatchActions actions;
  auto [entry, is_new] = calls_.try_emplace(id);
  SIDA_CHECK(is_new);
  Call& call = entry->second;
  call.step = step;
  call.layer = layer;
  call.deadline = deadline;
  call.experts.assign(experts.begin(), experts.end());
  call.done.assign(experts.size(), 0);
  call.attempts.assign(experts.size(), 0);
  Unplaced unplaced;
  for (std::size_t row = 0; row < experts.size(); ++row) {
    if (experts[row] < 0) {
      call.done[row] = 1;
    } else {
      unplaced.rows.push_back(static_cast<std::int32_t>(row));
    }
  }
  call.rows_left = unplaced.rows.size();
  if (call.rows_left == 0) {
    actions.emplace_back(CompleteCall{id});
    calls_.erase(entry);
    return actions;
  }
  place(id, std::move(unplaced), now, actions);
  send_queued(now, actions);
  return actions;
}

DispatchActions DispatchCore::result(WorkerId worker, const proto::DispatchResult& result, TimePoint now) {
  DispatchActions actions;
  auto found = find_part(worker, result.id);
  if (found == parts_.end()) {
    ++(was_ours(result.id) ? counters_.late_results : counters_.malformed_results);
    return actions;
  }
  const std::size_t rows = found->second.part.rows.size();
  if (result.shape.rows != rows || result.shape.bytes() != rows * row_bytes_) {
    ++counters_.malformed_results;
    counters_.resends_failed += found->second.superseded ? 0U : 1U;
    fail_part(result.id, {ErrorCode::kMalformedMessage, "result has the wrong shape"}, now, actions);
  } else {
    workers_.trust(worker);
    ExpertLookups& lookups = counters_.lookups[result.id.layer];
    lookups.hits += result.hits;
    lookups.misses += result.misses;
    accept(take_part(result.id), now, actions);
  }
  send_queued(now, actions);
  return actions;
}

DispatchActions DispatchCore::failure(WorkerId worker, const proto::DispatchFailure& failure, TimePoint now) {
  DispatchActions actions;
  auto found = find_part(worker, failure.id);
  if (found == parts_.end()) return actions;
  counters_.resends_failed += found->second.superseded ? 0U : 1U;
  fail_part(failure.id, {failure.code, failure.message}, now, actions);
  send_queued(now, actions);
  return actions;
}

void DispatchCore::estimate(WorkerId worker, const proto::Estimate& estimate, TimePoint now) {
  auto found = find_part(worker, estimate.id);
  if (found == parts_.end() || found->second.estimated) return;
  found->second.estimated = true;
  const auto wait = std::clamp<std::chrono::microseconds>(estimate.remaining, {}, limits_.estimate_max);
  // After the read it deserves the time that a dispatch without a read gets.
  found->second.deadline = std::max(found->second.deadline, now + wait + limits_.part_deadline);
  found->second.lost_at += wait;
}

DispatchActions DispatchCore::send_refused(const proto::DispatchId& id, TimePoint now) {
  DispatchActions actions;
  if (!parts_.contains(id)) return actions;
  fail_part(id, {ErrorCode::kOverloaded, "the link to the worker is full"}, now, actions);
  send_queued(now, actions);
  return actions;
}

DispatchActions DispatchCore::cancel(CallId call, TimePoint now) {
  DispatchActions actions;
  if (!calls_.contains(call)) return actions;
  end_call(call, actions);
  send_queued(now, actions);
  return actions;
}

DispatchActions DispatchCore::tick(TimePoint now) {
  DispatchActions actions;
  std::vector<CallId> calls;
  for (const auto& [id, call] : calls_) calls.push_back(id);
  for (CallId id : calls) tick_call(id, now, actions);
  std::vector<proto::DispatchId> late;
  for (const auto& [id, part] : parts_) {
    if (part.next_look() <= now) late.push_back(id);
  }
  for (const proto::DispatchId& id : late) hurry(id, now, actions);
  send_queued(now, actions);
  return actions;
}

TimePoint DispatchCore::next_deadline() const {
  TimePoint next = TimePoint::max();
  for (const auto& [id, call] : calls_) next = std::min({next, call.deadline, call.retry_at, call.give_up_at});
  for (const auto& [id, part] : parts_) next = std::min(next, part.next_look());
  return next;
}

std::uint64_t DispatchCore::bytes_in_flight(WorkerId worker) const {
  const WorkerState* state = workers_.find(worker);
  return state == nullptr ? 0 : state->bytes_in_flight;
}

}  // namespace sida::router

// How parts come and go: choosing workers, credit, acceptance, resends, and the ends of calls.
#include <algorithm>
#include <string>

#include "router/dispatch/dispatch_core.h"

namespace sida::router {
namespace {

std::chrono::milliseconds retry_delay(const DispatchLimits& limits, int attempts) {
  constexpr std::chrono::milliseconds kLongest{1000};
  return std::min(limits.retry_delay * (1 << std::clamp(attempts - 1, 0, 6)), kLongest);
}

std::size_t parts_needed(const RoutesByWorker& routes, std::size_t rows_max) {
  std::size_t parts = 0;
  for (const auto& [worker, rows] : routes) parts += (rows.size() + rows_max - 1) / rows_max;
  return parts;
}

}  // namespace

void DispatchCore::place(CallId id, Unplaced unplaced, TimePoint now, DispatchActions& actions) {
  if (unplaced.rows.empty()) return;
  Call& call = calls_.at(id);
  const int attempts = call.attempts_of(unplaced.rows);
  if (attempts >= limits_.attempts_max) {
    Error error{ErrorCode::kUnavailable, "MoE layer " + std::to_string(call.layer.value) + ": rows were sent " +
                                             std::to_string(attempts) + " times without a result; last error: " +
                                             (call.last_error.empty() ? "worker lost" : call.last_error)};
    end_call(id, actions);
    actions.emplace_back(FailCall{id, std::move(error)});
    return;
  }
  RoutesByWorker routes;
  for (std::int32_t row : unplaced.rows) {
    const ExpertKey key = call.key(row);
    auto worker = workers_.choose(key, call.avoided_by(row), unplaced.numerics, now);
    if (!worker && unplaced.after_delay) worker = workers_.choose_again(key, call.avoided_by(row));
    if (worker) {
      routes[*worker].push_back({row, key.expert});
    } else {
      call.unplaced.push_back(row);
    }
  }
  // Coverage is by layer: either every row of the call has an owner or none has.
  const bool covered = !workers_.owners(call.key(unplaced.rows.front())).empty();
  if (covered) {
    call.give_up_at = TimePoint::max();
    if (!call.unplaced.empty()) call.retry_at = std::min(call.retry_at, now + retry_delay(limits_, attempts));
  } else if (call.give_up_at == TimePoint::max()) {
    call.give_up_at = now + limits_.no_worker_patience;
  }
  enqueue(id, call, routes, now);
}

void DispatchCore::enqueue(CallId id, Call& call, const RoutesByWorker& routes, TimePoint now) {
  for (const auto& [worker, rows] : routes) {
    WorkerState& state = *workers_.find(worker);
    for (PartPlan& plan : plan_parts(rows, part_rows_max())) {
      const proto::DispatchId dispatch{.router = router_,
                                       .step = call.step,
                                       .layer = call.layer,
                                       .part = next_part_++,
                                       .attempt = static_cast<std::uint32_t>(call.attempts_of(plan.rows))};
      InFlight part{.part = {id, worker, dispatch, std::move(plan.groups), std::move(plan.rows)},
                    .numerics = state.member.numerics_id,
                    .deadline = now + limits_.part_deadline,
                    .lost_at = TimePoint::max()};
      parts_.emplace(dispatch, std::move(part));
      call.parts.push_back(dispatch);
      state.queue.push_back(dispatch);
    }
  }
}

void DispatchCore::send_queued(TimePoint now, DispatchActions& actions) {
  for (auto& [worker, state] : workers_.all()) {
    while (!state.queue.empty()) {
      InFlight& part = parts_.at(state.queue.front());
      const std::uint64_t bytes = part.part.rows.size() * row_bytes_;
      if (!state.has_credit_for(bytes)) break;
      state.queue.pop_front();
      state.bytes_in_flight += bytes;
      part.sent = true;
      part.deadline = now + limits_.part_deadline;
      part.lost_at = now + limits_.part_lost_after;
      Call& call = calls_.at(part.part.call);
      for (std::int32_t row : part.part.rows) ++call.attempts[static_cast<std::size_t>(row)];
      ++counters_.parts_sent;
      counters_.rows_sent += part.part.rows.size();
      actions.emplace_back(SendPart{part.part});
    }
  }
}

void DispatchCore::accept(InFlight part, TimePoint /*now*/, DispatchActions& actions) {
  const CallId id = part.part.call;
  Call& call = calls_.at(id);
  std::size_t accepted = 0;
  for (std::int32_t& row : part.part.rows) {
    if (call.is_done(row)) {
      row = -1;
    } else {
      call.done[static_cast<std::size_t>(row)] = 1;
      ++accepted;
    }
  }
  SIDA_CHECK(accepted > 0);  // Parts without missing rows are dropped as soon as that is so.
  call.rows_left -= accepted;
  if (!call.numerics) call.numerics = part.numerics;
  if (*call.numerics != part.numerics) counters_.numerics_crossings += accepted;
  actions.emplace_back(AcceptRows{id, std::move(part.part.rows), part.part.worker});
  if (call.rows_left == 0) {
    end_call(id, actions);
    actions.emplace_back(CompleteCall{id});
  } else {
    drop_served_parts(call, actions);
  }
}

void DispatchCore::drop_served_parts(Call& call, DispatchActions& actions) {
  const std::vector<proto::DispatchId> parts = call.parts;
  for (const proto::DispatchId& id : parts) {
    if (!call.all_done(parts_.at(id).part.rows)) continue;
    const InFlight dropped = take_part(id);
    if (dropped.sent) actions.emplace_back(CancelPart{dropped.part.worker, id});
  }
  std::erase_if(call.unplaced, [&](std::int32_t row) { return call.is_done(row); });
  if (call.unplaced.empty()) call.retry_at = call.give_up_at = TimePoint::max();
}

void DispatchCore::fail_part(const proto::DispatchId& id, const Error& error, TimePoint now, DispatchActions& actions) {
  const InFlight part = take_part(id);
  Call& call = calls_.at(part.part.call);
  call.last_error = error.message;
  call.avoid(part.part.rows, part.part.worker);
  if (part.superseded) return;
  place(part.part.call, {.rows = call.missing(part.part.rows), .numerics = part.numerics}, now, actions);
}

void DispatchCore::leave_worker(WorkerId worker, bool lost, std::map<CallId, Unplaced>& unplaced) {
  std::vector<proto::DispatchId> leaving;
  for (const auto& [id, part] : parts_) {
    if (part.part.worker == worker && (lost || !part.sent)) leaving.push_back(id);
  }
  for (const proto::DispatchId& id : leaving) {
    const InFlight part = take_part(id);
    if (part.superseded) continue;
    if (part.sent) ++counters_.resends_lost;
    Unplaced& rows = unplaced[part.part.call];
    rows.numerics = part.numerics;
    std::ranges::copy(calls_.at(part.part.call).missing(part.part.rows), std::back_inserter(rows.rows));
  }
  if (lost) workers_.erase(worker);
}

void DispatchCore::hurry(const proto::DispatchId& id, TimePoint now, DispatchActions& actions) {
  auto found = parts_.find(id);
  if (found == parts_.end()) return;
  InFlight& late = found->second;
  if (late.sent && late.lost_at <= now) {
    counters_.resends_lost += late.superseded ? 0U : 1U;
    actions.emplace_back(CancelPart{late.part.worker, id});
    workers_.suspect(late.part.worker, now);
    return fail_part(id, {ErrorCode::kUnavailable, "the worker did not answer"}, now, actions);
  }
  late.deadline = now + limits_.part_deadline;  // If nothing can be done now, it is looked at again then.
  const CallId call_id = late.part.call;
  Call& call = calls_.at(call_id);
  const std::vector<std::int32_t> rows = call.missing(late.part.rows);
  if (call.attempts_of(rows) >= limits_.attempts_max) return;
  RoutesByWorker routes;
  for (std::int32_t row : rows) {
    std::vector<WorkerId> avoided = call.avoided_by(row);
    avoided.push_back(late.part.worker);
    const auto worker = workers_.choose(call.key(row), avoided, late.numerics, now);
    if (!worker) return;
    if (!late.sent && !workers_.find(*worker)->queue.empty()) return;  // It would only wait elsewhere.
    routes[*worker].push_back({row, call.key(row).expert});
  }
  if (late.sent) {
    const std::size_t resends = parts_needed(routes, part_rows_max());
    const double allowed = limits_.resend_budget * static_cast<double>(counters_.parts_sent);
    if (static_cast<double>(counters_.resends_late + resends) > allowed) return;
    counters_.resends_late += resends;
    late.superseded = true;
    workers_.suspect(late.part.worker, now);
    call.avoid(rows, late.part.worker);
  } else {
    call.avoid(rows, late.part.worker);
    take_part(id);  // It never left: moving it costs nothing.
  }
  enqueue(call_id, call, routes, now);
  send_queued(now, actions);
}

void DispatchCore::tick_call(CallId id, TimePoint now, DispatchActions& actions) {
  Call& call = calls_.at(id);
  if (call.deadline <= now) {
    end_call(id, actions);
    actions.emplace_back(FailCall{id, {ErrorCode::kDeadlineExceeded, "the deadline passed while experts computed"}});
  } else if (call.give_up_at <= now) {
    Error error{ErrorCode::kUnavailable,
                "no expert-worker serves MoE layer " + std::to_string(call.layer.value) + "; start one"};
    end_call(id, actions);
    actions.emplace_back(FailCall{id, std::move(error)});
  } else if (call.retry_at <= now) {
    call.retry_at = TimePoint::max();
    Unplaced unplaced{.rows = std::move(call.unplaced), .after_delay = true};
    call.unplaced.clear();
    place(id, std::move(unplaced), now, actions);
  }
}

void DispatchCore::end_call(CallId id, DispatchActions& actions) {
  const std::vector<proto::DispatchId> parts = calls_.at(id).parts;
  for (const proto::DispatchId& part : parts) {
    const InFlight dropped = take_part(part);
    if (dropped.sent) actions.emplace_back(CancelPart{dropped.part.worker, part});
  }
  calls_.erase(id);
}

// Out of every list; its credit is free again.
InFlight DispatchCore::take_part(const proto::DispatchId& id) {
  auto node = parts_.extract(id);
  SIDA_CHECK(!node.empty());
  InFlight& part = node.mapped();
  std::erase(calls_.at(part.part.call).parts, id);
  if (WorkerState* state = workers_.find(part.part.worker)) {
    if (part.sent) {
      state->bytes_in_flight -= part.part.rows.size() * row_bytes_;
    } else {
      std::erase(state->queue, id);
    }
  }
  return std::move(part);
}

DispatchCore::Parts::iterator DispatchCore::find_part(WorkerId worker, const proto::DispatchId& id) {
  auto found = parts_.find(id);
  const bool expected = found != parts_.end() && found->second.sent && found->second.part.worker == worker;
  return expected ? found : parts_.end();
}

bool DispatchCore::was_ours(const proto::DispatchId& id) const {
  return id.router == router_ && id.part < next_part_ && !parts_.contains(id);
}

std::size_t DispatchCore::part_rows_max() const {
  const std::uint64_t bytes = std::min<std::uint64_t>(limits_.part_bytes_max, proto::kMaxRowsBytes);
  return std::clamp<std::size_t>(bytes / row_bytes_, 1, proto::kMaxGroups);
}

}  // namespace sida::router

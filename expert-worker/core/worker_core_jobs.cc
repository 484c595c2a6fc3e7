// Dispatches inside the worker core: admission, computing, and how they end.
#include <algorithm>
#include <string>
#include <utility>

#include "expert-worker/core/worker_core.h"

namespace sida::worker {

Result<void> WorkerCore::may_admit(const proto::Dispatch& dispatch) const {
  if (draining_) return fail(ErrorCode::kUnavailable, identity_.welcome.name + " is draining");
  if (dispatch.shape.dtype != identity_.compute_dtype || dispatch.shape.columns != identity_.d_model) {
    return fail(ErrorCode::kMismatch, identity_.welcome.name + ": rows have another dtype or width than the model");
  }
  if (dispatch.id.layer.value < 0 || dispatch.id.layer.value >= identity_.moe_layers) {
    return fail(ErrorCode::kInvalidArgument,
                "no MoE layer " + std::to_string(dispatch.id.layer.value) + " in " + identity_.welcome.name);
  }
  for (const proto::Dispatch::Group& group : dispatch.groups) {
    if (group.expert.value < 0 || group.expert.value >= identity_.experts_per_layer) {
      return fail(ErrorCode::kInvalidArgument, "no expert " + std::to_string(group.expert.value));
    }
  }
  if (jobs_.size() >= limits_.jobs_max || job_bytes_ + dispatch.shape.bytes() > limits_.job_bytes_max) {
    return fail(ErrorCode::kOverloaded, identity_.welcome.name + ": too many rows are waiting");
  }
  return {};
}

void WorkerCore::admit(PeerId peer, const proto::Dispatch& dispatch, TimePoint deadline, WorkerActions& actions) {
  if (by_dispatch_.contains(dispatch.id)) {
    ++counters_.malformed_messages;
    return;
  }
  if (auto admissible = may_admit(dispatch); !admissible) {
    ++counters_.dispatches_refused;
    actions.emplace_back(
        SendTensor{peer, proto::DispatchFailure{dispatch.id, admissible.error().code, admissible.error().message}});
    return;
  }
  const JobId id{++last_job_};
  Job job{.peer = peer, .id = dispatch.id, .shape = dispatch.shape, .deadline = deadline};
  std::uint32_t first_row = 0;
  for (const proto::Dispatch::Group& group : dispatch.groups) {
    if (group.rows == 0) continue;
    const ExpertKey key{dispatch.id.layer, group.expert};
    job.groups.push_back({.key = key, .first_row = first_row, .rows = group.rows});
    first_row += group.rows;
    share_.wanted(key, group.rows);
    expected_.demand(key, group.rows);
    wanted_.demanded(key);
  }
  job.groups_left = job.groups.size();
  job_bytes_ += dispatch.shape.bytes();
  ++counters_.dispatches;
  by_dispatch_.emplace(dispatch.id, id);
  jobs_.emplace(id, std::move(job));
  actions.emplace_back(AdmitJob{id});
  finish_if_done(id, actions);  // One without rows.
}

void WorkerCore::cancel(RouterId router, const proto::DispatchId& dispatch, WorkerActions& actions) {
  auto found = by_dispatch_.find(dispatch);
  if (dispatch.router == router && found != by_dispatch_.end()) end_job(found->second, actions);
}

void WorkerCore::end_overdue(TimePoint now, WorkerActions& actions) {
  std::vector<JobId> overdue;
  for (const auto& [id, job] : jobs_) {
    if (job.deadline <= now && !job.ended && job.waiting()) overdue.push_back(id);
  }
  for (const JobId id : overdue) {
    const Job& job = jobs_.at(id);
    ++counters_.deadlines_missed;
    actions.emplace_back(
        SendTensor{job.peer, proto::DispatchFailure{job.id, ErrorCode::kDeadlineExceeded,
                                                    identity_.welcome.name + ": its deadline passed before its turn"}});
    end_job(id, actions);
  }
}

// Pins and loads in order of arrival, then computes, then reads ahead.
void WorkerCore::advance(TimePoint now, WorkerActions& actions) {
  imagine_on(now);
  end_overdue(now, actions);
  expected_.expire(now);
  demand_waits_ = false;
  for (auto& [id, job] : jobs_) {
    if (job.ended) continue;
    pin_resident(job, now);
    // Later dispatches pin nothing while an earlier one waits for a slot, else it could wait for ever.
    if (!read_missing(job, now, actions)) break;
  }
  start_computes(actions);
  cancel_useless(actions);
  load_expected(now, actions);
  was_reading_ = !loading_.empty();
  if (std::exchange(told_prefetching_, admission_.on()) != admission_.on()) residency_changed_ = true;
}

// Before anything is read for the same dispatch: else what it can use might leave for what it misses.
void WorkerCore::pin_resident(Job& job, TimePoint now) {
  for (JobGroup& group : job.groups) {
    if (group.state != JobGroup::State::kWaiting) continue;
    if (!share_.owns(group.key)) foreign_until_ = now + limits_.foreign_stay;
    const auto slot = slots_.pin(group.key);
    if (!slot) continue;
    group.slot = *slot;
    group.state = JobGroup::State::kReady;
    expected_.serve(group.key);
    ++(group.missed ? counters_.misses : counters_.hits);
    if (prefetched_.erase(group.key) == 0) continue;
    ++counters_.prefetches_useful;
    admission_.useful();
    met(group.key);
  }
}

void WorkerCore::start_computes(WorkerActions& actions) {
  for (auto& [id, job] : jobs_) {
    if (computing_ >= limits_.computes_in_flight_max) return;
    if (job.ended) continue;
    ComputeGroups work{.job = id, .groups = {}};
    for (JobGroup& group : job.groups) {
      if (group.state != JobGroup::State::kReady) continue;
      group.state = JobGroup::State::kComputing;
      work.groups.push_back({group.first_row, group.rows, group.slot});
    }
    if (work.groups.empty()) continue;
    ++computing_;
    actions.emplace_back(std::move(work));
  }
}

WorkerActions WorkerCore::compute_ended(JobId id, std::span<const GroupWork> groups, std::chrono::microseconds took,
                                        TimePoint now) {
  WorkerActions actions;
  SIDA_CHECK(computing_ > 0);
  --computing_;
  Job& job = jobs_.at(id);
  job.compute += took;
  for (const GroupWork& work : groups) {
    auto group = std::ranges::find(job.groups, work.first_row, &JobGroup::first_row);
    SIDA_CHECK(group != job.groups.end() && group->state == JobGroup::State::kComputing);
    group->state = JobGroup::State::kDone;
    --job.groups_left;
    counters_.rows_served += work.rows;
    slots_.unpin(work.slot);
  }
  residency_changed_ = true;
  if (job.ended) {
    drop_if_idle(id, actions);
  } else {
    finish_if_done(id, actions);
  }
  advance(now, actions);
  return actions;
}

void WorkerCore::finish_if_done(JobId id, WorkerActions& actions) {
  const Job& job = jobs_.at(id);
  if (job.groups_left > 0) return;
  proto::DispatchResult result{.id = job.id, .shape = job.shape, .compute = job.compute};
  for (const JobGroup& group : job.groups) ++(group.missed ? result.misses : result.hits);
  actions.emplace_back(FinishJob{id, job.peer, result});
  job_bytes_ -= job.shape.bytes();
  by_dispatch_.erase(job.id);
  jobs_.erase(id);
}

// Nothing more is started for it, and nothing more is said of it.
void WorkerCore::end_job(JobId id, WorkerActions& actions) {
  Job& job = jobs_.at(id);
  if (job.ended) return;
  job.ended = true;
  for (JobGroup& group : job.groups) {
    if (group.state == JobGroup::State::kWaiting) expected_.serve(group.key);
    if (group.state != JobGroup::State::kReady) continue;
    slots_.unpin(group.slot);
    group.state = JobGroup::State::kWaiting;
  }
  drop_if_idle(id, actions);
}

void WorkerCore::drop_if_idle(JobId id, WorkerActions& actions) {
  const Job& job = jobs_.at(id);
  if (job.computing()) return;
  job_bytes_ -= job.shape.bytes();
  by_dispatch_.erase(job.id);
  jobs_.erase(id);
  actions.emplace_back(DropJob{id});
}

}  // namespace sida::worker

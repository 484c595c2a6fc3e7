// Dispatches inside the worker core: admission, loading, computing, and how they end.
#include <algorithm>
#include <string>

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
    expected_.end(key);
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
  end_overdue(now, actions);
  bool slots_left = true;
  for (auto& [id, job] : jobs_) {
    if (job.ended) continue;
    for (JobGroup& group : job.groups) {
      if (group.state != JobGroup::State::kWaiting) continue;
      slots_left = slots_left && reach_for(job, group, now, actions);
    }
    // Later dispatches pin nothing while an earlier one waits for a slot, else it could wait for ever.
    if (!slots_left) break;
  }
  start_computes(actions);
  load_expected(now, actions);
}

// Pins the group's expert or starts to load it. False when no slot can be had now.
bool WorkerCore::reach_for(Job& job, JobGroup& group, TimePoint now, WorkerActions& actions) {
  if (!share_.owns(group.key)) foreign_until_ = now + limits_.foreign_stay;
  if (auto slot = slots_.pin(group.key)) {
    group.slot = *slot;
    group.state = JobGroup::State::kReady;
    ++(group.missed ? counters_.misses : counters_.hits);
    counters_.prefetches_useful += prefetched_.erase(group.key);
    return true;
  }
  group.missed = true;
  if (slots_.state(group.key) == Residence::kLoading) {
    for (auto& [slot, load] : loading_) {
      if (load.key != group.key || load.demanded) continue;
      load.demanded = true;
      counters_.prefetches_late += load.advised ? 1 : 0;
    }
    estimate(job, actions);
    return true;
  }
  const auto demanded = std::ranges::count_if(loading_, [](const auto& entry) { return entry.second.demanded; });
  if (static_cast<std::size_t>(demanded) >= limits_.loads_in_flight_max) {
    estimate(job, actions);
    return true;
  }
  auto slot = take_slot(group.key, Need::kDemand);
  estimate(job, actions);
  if (!slot) return false;
  loading_.emplace(*slot, Loading{.key = group.key, .demanded = true});
  residency_changed_ = true;
  actions.emplace_back(LoadExpert{group.key, *slot});
  return true;
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

// One expert at a time, and only while nothing is demanded: so a demand waits for at most one of these. A share that
// fits stays: neither advice nor anything else that is only expected takes its slots, and what foreign demand took of
// it comes back once that demand is over. Of a share that does not fit the slots are a cache, in which advice is as
// good as anything.
void WorkerCore::load_expected(TimePoint now, WorkerActions& actions) {
  if (draining_ || !loading_.empty()) return;
  const auto load = [&](ExpertKey key, Need need) {
    const auto slot = take_slot(key, need);
    if (!slot) return false;
    loading_.emplace(*slot, Loading{.key = key, .advised = need == Need::kAdvice});
    actions.emplace_back(LoadExpert{key, *slot});
    return true;
  };
  expected_.expire(now);
  if (const auto key = expected_.next(slots_)) {
    // Without a slot for it there is none for what is needed later.
    if (load(*key, Need::kAdvice)) {
      ++counters_.prefetches;
      return;
    }
  }
  const bool room = slots_.used() < slots_.slots() || (foreign_ > 0 && now >= foreign_until_);
  if (!room) return;
  if (const auto key = share_.next_own(slots_)) load(*key, Need::kShare);
}

std::optional<SlotId> WorkerCore::take_slot(ExpertKey key, Need need) {
  auto slot = slots_.begin_load(key);
  if (!slot) {
    const auto victim = victim_for(key, need);
    if (!victim) return std::nullopt;
    slot = slots_.begin_load_over(*victim, key);
    if (share_.owns(*victim)) {
      share_.evicted();
    } else {
      --foreign_;
    }
    counters_.prefetches_wasted += prefetched_.erase(*victim);
  }
  if (!share_.owns(key)) ++foreign_;
  return slot;
}

// Of foreign experts first, then, where that may be, of its own. What is demanded is needed before all that is
// expected; what is advised makes nobody leave who is needed sooner, and the share nobody who is expected at all.
std::optional<ExpertKey> WorkerCore::victim_for(ExpertKey key, Need need) const {
  const std::optional<std::uint64_t> turn = expected_.turn(key);
  std::vector<Evictable> foreign;
  std::vector<Evictable> own;
  for (Evictable& held : slots_.evictable()) {
    held.turn = expected_.turn(held.key);
    const bool needed_sooner = need != Need::kDemand && held.turn && (need == Need::kShare || held.turn < turn);
    if (!needed_sooner) (share_.owns(held.key) ? own : foreign).push_back(held);
  }
  const bool may_evict_own = need == Need::kDemand || (need == Need::kAdvice && !share_.fits());
  const std::vector<Evictable>& candidates = !foreign.empty() || !may_evict_own ? foreign : own;
  if (candidates.empty()) return std::nullopt;
  const std::size_t victim = eviction_->victim(
      {.candidates = candidates, .layer = key.layer, .by_layer = slots_.by_layer(), .slots = slots_.slots()});
  return candidates.at(victim).key;
}

// Tells the router once per dispatch how long its reads will take: those in front of it, then its own.
void WorkerCore::estimate(Job& job, WorkerActions& actions) {
  if (job.estimated) return;
  job.estimated = true;
  std::size_t loads = loading_.size();
  for (const auto& [id, other] : jobs_) {
    if (other.ended) continue;
    for (const JobGroup& group : other.groups) {
      const bool absent = group.state == JobGroup::State::kWaiting && slots_.state(group.key) == Residence::kAbsent;
      loads += absent ? 1 : 0;
    }
    if (&other == &job) break;
  }
  const auto remaining = load_time_ * static_cast<std::int64_t>(std::max<std::size_t>(loads, 1));
  actions.emplace_back(SendTensor{job.peer, proto::Estimate{job.id, remaining}});
}

WorkerActions WorkerCore::load_ended(SlotId slot, const Result<void>& outcome, std::chrono::microseconds took,
                                     TimePoint now) {
  WorkerActions actions;
  auto load = loading_.extract(slot);
  SIDA_CHECK(!load.empty());
  slots_.end_load(slot, outcome.has_value());
  residency_changed_ = true;
  if (outcome) {
    ++counters_.loads;
    if (load.mapped().advised && !load.mapped().demanded) prefetched_.insert(load.mapped().key);
    load_time_ = (load_time_ * 3 + took) / 4;
  } else {
    ++counters_.load_failures;
    if (!share_.owns(load.mapped().key)) --foreign_;
    share_.unreadable(load.mapped().key);
    expected_.end(load.mapped().key);
    std::vector<JobId> waiting;
    for (const auto& [id, job] : jobs_) {
      const bool waits = std::ranges::any_of(job.groups, [&](const JobGroup& group) {
        return group.key == load.mapped().key && group.state == JobGroup::State::kWaiting;
      });
      if (waits && !job.ended) waiting.push_back(id);
    }
    for (JobId id : waiting) {
      const Job& job = jobs_.at(id);
      actions.emplace_back(
          SendTensor{job.peer, proto::DispatchFailure{job.id, outcome.error().code, outcome.error().message}});
      end_job(id, actions);
    }
  }
  advance(now, actions);
  return actions;
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

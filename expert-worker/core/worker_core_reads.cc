// What the worker core has read into which slot: for dispatches, for advice, and for its own share.
#include <algorithm>

#include "expert-worker/core/worker_core.h"

namespace sida::worker {

// False when there is no slot for an expert that it misses.
bool WorkerCore::read_missing(Job& job, TimePoint now, WorkerActions& actions) {
  for (JobGroup& group : job.groups) {
    if (group.state != JobGroup::State::kWaiting) continue;
    group.missed = true;
    if (slots_.state(group.key) == Residence::kLoading) {
      demand_load(group.key, now, actions);
      estimate(job, actions);
      continue;
    }
    estimate(job, actions);
    const auto demanded = std::ranges::count_if(loading_, [](const auto& entry) { return entry.second.demanded; });
    if (static_cast<std::size_t>(demanded) >= limits_.loads_in_flight_max) {
      demand_waits_ = true;
      continue;
    }
    // The first of several that begin together lets the piece by; the others wait for the first.
    const bool behind =
        demanded == 0 && std::ranges::any_of(loading_, [](const auto& entry) { return entry.second.advised_only(); });
    if (!begin_load(group.key, Need::kDemand, actions)) {
      demand_waits_ = true;
      give_up_one_load(actions);
      return false;
    }
    tell_demanded(group.key, behind);
  }
  return true;
}

// One that was imagined to be read ahead was so on its way.
void WorkerCore::tell_demanded(ExpertKey key, bool behind_advice) {
  const bool displaced = displaced_.erase(key) > 0;
  if (imagined_ && imagined_->key == key) {
    const auto whole = std::chrono::duration<double>(load_time_).count();
    const double read = std::chrono::duration<double>(imagined_->read).count();
    admission_.imagined(whole > 0 ? std::clamp(read / whole, 0.0, 1.0) : 0.0);
    imagined_.reset();
  } else {
    // The piece under way is half done, in the mean.
    const double behind = behind_advice ? 0.5 / static_cast<double>(limits_.read_pieces) : 0.0;
    admission_.demanded({.displaced = displaced, .behind = behind});
  }
}

void WorkerCore::demand_load(ExpertKey key, TimePoint now, WorkerActions& actions) {
  const auto found = std::ranges::find(loading_, key, [](const auto& entry) { return entry.second.key; });
  auto& [slot, load] = *found;
  if (load.demanded || load.cancelled) return;
  load.demanded = true;
  load.demanded_at = now;
  if (load.advised) {
    ++counters_.prefetches_late;
    met(key);
  }
  actions.emplace_back(DemandLoad{slot});
}

// Its prediction was right: whatever left for it would have had to leave anyway.
void WorkerCore::met(ExpertKey prefetched) {
  std::erase_if(displaced_, [&](const auto& entry) { return entry.second == prefetched; });
}

bool WorkerCore::begin_load(ExpertKey key, Need need, WorkerActions& actions) {
  const auto slot = take_slot(key, need);
  if (!slot) return false;
  const bool demanded = need == Need::kDemand;
  loading_.emplace(*slot, Loading{.key = key, .demanded = demanded, .advised = need == Need::kAdvice});
  actions.emplace_back(LoadExpert{key, *slot, demanded});
  residency_changed_ = residency_changed_ || demanded;
  return true;
}

// A dispatch finds no slot: what is read ahead gives one up, that which is needed last.
void WorkerCore::give_up_one_load(WorkerActions& actions) {
  std::map<SlotId, Loading>::iterator last = loading_.end();
  std::uint64_t last_turn = 0;
  for (auto entry = loading_.begin(); entry != loading_.end(); ++entry) {
    if (entry->second.cancelled) return;  // One is on its way.
    if (entry->second.demanded) continue;
    const std::uint64_t turn = expected_.turn(entry->second.key).value_or(UINT64_MAX);
    if (turn < last_turn) continue;
    last = entry;
    last_turn = turn;
  }
  if (last != loading_.end()) cancel_load(last->first, last->second, actions);
}

// What was advised and is not expected any more: its sequence ended, or its time is over.
void WorkerCore::cancel_useless(WorkerActions& actions) {
  for (auto& [slot, load] : loading_) {
    const bool wanted = load.demanded || !load.advised || expected_.turn(load.key);
    if (!wanted && !load.cancelled) cancel_load(slot, load, actions);
  }
}

void WorkerCore::cancel_load(SlotId slot, Loading& load, WorkerActions& actions) {
  load.cancelled = true;
  if (load.advised) {
    ++counters_.prefetches_cancelled;
    admission_.wasted();
  }
  actions.emplace_back(CancelLoad{slot});
}

// Advice has only the time in which the disk has nothing else to read, and one read at a time: what is begun and then
// overtaken by demands would hold a slot that is empty, of which what was evicted could have made use. A share that
// fits stays: neither advice nor anything else that is only expected takes its slots, and what foreign demand took of
// it comes back once that demand is over. Of a share that does not fit the slots are a cache, in which advice is as
// good as anything.
void WorkerCore::load_expected(TimePoint now, WorkerActions& actions) {
  if (draining_ || demand_waits_ || !loading_.empty()) return;
  if (admission_.on()) {
    const auto key = expected_.next(slots_);
    if (key && begin_load(*key, Need::kAdvice, actions)) {
      ++counters_.prefetches;
      return;
    }
  } else {
    imagine();
  }
  const bool room = slots_.used() < slots_.slots() || (foreign_ > 0 && now >= foreign_until_);
  if (!room) return;
  if (const auto key = share_.next_own(slots_)) begin_load(*key, Need::kShare, actions);
}

// Chooses what would be read ahead now, if nothing is imagined yet.
void WorkerCore::imagine() {
  if (imagined_ && !expected_.turn(imagined_->key)) {
    if (slots_.state(imagined_->key) == Residence::kAbsent) admission_.imagined_in_vain();
    imagined_.reset();
  }
  if (imagined_ || !admission_.imagines()) return;
  const auto key = expected_.next(slots_);
  const bool room = key && (slots_.used() < slots_.slots() || victim_for(*key, Need::kAdvice));
  if (room) imagined_ = Imagined{.key = *key};
}

// A read that is imagined goes on while the disk reads nothing.
void WorkerCore::imagine_on(TimePoint now) {
  if (imagined_ && !was_reading_) imagined_->read += now - advanced_;
  advanced_ = now;
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
    if (prefetched_.erase(*victim) > 0) {
      ++counters_.prefetches_wasted;
      admission_.wasted();
    }
    if (need == Need::kAdvice) displaced_.insert_or_assign(*victim, key);
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
    held.wanted = wanted_.level(held.key);
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
  auto loads = static_cast<std::size_t>(
      std::ranges::count_if(loading_, [](const auto& entry) { return entry.second.demanded; }));
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

// An expert that was read ahead is there.
void WorkerCore::take_advised(const Loading& load, std::chrono::microseconds took, TimePoint now) {
  if (!load.advised || load.cancelled) return;
  if (!load.demanded) {
    prefetched_.insert(load.key);
  } else if (took.count() > 0) {
    const double waited = std::chrono::duration<double, std::micro>(now - load.demanded_at).count();
    admission_.late(std::clamp(1 - waited / static_cast<double>(took.count()), 0.0, 1.0));
  }
}

WorkerActions WorkerCore::load_ended(SlotId slot, const Result<void>& outcome, std::chrono::microseconds took,
                                     TimePoint now) {
  WorkerActions actions;
  auto load = loading_.extract(slot);
  SIDA_CHECK(!load.empty());
  slots_.end_load(slot, outcome.has_value());
  residency_changed_ = true;
  if (!outcome && load.mapped().cancelled) {  // As it was told to.
    if (!share_.owns(load.mapped().key)) --foreign_;
  } else if (outcome) {
    ++counters_.loads;
    displaced_.erase(load.mapped().key);
    take_advised(load.mapped(), took, now);
    load_time_ = (load_time_ * 3 + took) / 4;
  } else {
    ++counters_.load_failures;
    if (load.mapped().advised) admission_.wasted();
    if (!share_.owns(load.mapped().key)) --foreign_;
    share_.unreadable(load.mapped().key);
    expected_.give_up(load.mapped().key);
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

}  // namespace sida::worker

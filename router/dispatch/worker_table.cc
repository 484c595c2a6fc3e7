#include "router/dispatch/worker_table.h"

#include <algorithm>
#include <set>

namespace sida::router {

WorkerTable::Change WorkerTable::replace(std::vector<proto::Member> members) {
  Change change;
  std::set<WorkerId> present;
  owners_ = placement::Owners(members, experts_total_);
  owners_by_key_.clear();
  for (proto::Member& member : members) {
    present.insert(member.worker);
    auto [entry, is_new] = workers_.try_emplace(member.worker);
    const bool was_draining = !is_new && entry->second.member.draining;
    if (member.draining && !was_draining) change.draining.push_back(member.worker);
    entry->second.member = std::move(member);
  }
  for (const auto& [worker, state] : workers_) {
    if (!present.contains(worker)) change.lost.push_back(worker);
  }
  std::ranges::sort(change.draining);
  return change;
}

WorkerState* WorkerTable::find(WorkerId worker) {
  auto found = workers_.find(worker);
  return found == workers_.end() ? nullptr : &found->second;
}

const WorkerState* WorkerTable::find(WorkerId worker) const {
  auto found = workers_.find(worker);
  return found == workers_.end() ? nullptr : &found->second;
}

const std::vector<WorkerId>& WorkerTable::owners(ExpertKey key) {
  auto [entry, is_new] = owners_by_key_.try_emplace(key);
  if (is_new) entry->second = owners_.of(key);
  return entry->second;
}

std::optional<WorkerId> WorkerTable::choose(ExpertKey key, std::span<const WorkerId> avoided,
                                            std::optional<std::uint64_t> numerics, TimePoint now) {
  std::optional<WorkerId> best;
  int best_faults = 0;
  for (WorkerId worker : owners(key)) {
    if (std::ranges::find(avoided, worker) != avoided.end()) continue;
    const bool other_numerics = numerics && workers_.at(worker).member.numerics_id != *numerics;
    const int faults = (suspected(worker, now) ? 2 : 0) + (other_numerics ? 1 : 0);
    if (faults == 0) return worker;
    if (best && faults >= best_faults) continue;
    best = worker;
    best_faults = faults;
  }
  return best;
}

void WorkerTable::suspect(WorkerId worker, TimePoint now) {
  constexpr std::chrono::seconds kFirstPeriod{5};
  constexpr std::chrono::seconds kLongestPeriod{60};
  constexpr std::size_t kSuspicionsMax = 1024;  // Incarnations; many more than ever live at once.
  if (suspicions_.size() >= kSuspicionsMax) suspicions_.clear();
  auto [entry, is_new] = suspicions_.try_emplace(worker, Suspicion{now + kFirstPeriod, kFirstPeriod});
  if (is_new || now < entry->second.until) return;
  entry->second.period = std::min<Duration>(entry->second.period * 2, kLongestPeriod);
  entry->second.until = now + entry->second.period;
}

bool WorkerTable::suspected(WorkerId worker, TimePoint now) const {
  auto found = suspicions_.find(worker);
  return found != suspicions_.end() && now < found->second.until;
}

std::optional<WorkerId> WorkerTable::choose_again(ExpertKey key, std::span<const WorkerId> avoided) {
  const std::vector<WorkerId>& candidates = owners(key);
  for (WorkerId worker : avoided) {
    if (std::ranges::find(candidates, worker) != candidates.end()) return worker;
  }
  return std::nullopt;
}

}  // namespace sida::router

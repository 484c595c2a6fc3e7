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
                                            std::optional<std::uint64_t> numerics) {
  std::optional<WorkerId> best;
  for (WorkerId worker : owners(key)) {
    if (std::ranges::find(avoided, worker) != avoided.end()) continue;
    if (!numerics || workers_.at(worker).member.numerics_id == *numerics) return worker;
    if (!best) best = worker;
  }
  return best;
}

std::optional<WorkerId> WorkerTable::choose_again(ExpertKey key, std::span<const WorkerId> avoided) {
  const std::vector<WorkerId>& candidates = owners(key);
  for (WorkerId worker : avoided) {
    if (std::ranges::find(candidates, worker) != candidates.end()) return worker;
  }
  return std::nullopt;
}

}  // namespace sida::router

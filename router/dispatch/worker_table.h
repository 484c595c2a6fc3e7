// The workers that the dispatch core may use: who owns what, byte credits, and parts that wait for credit.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/placement/owners.h"
#include "common/proto/messages.h"

namespace sida::router {

struct WorkerState {
  proto::Member member;
  std::uint64_t bytes_in_flight = 0;
  std::deque<proto::DispatchId> queue;  // Waiting for credit, in order.

  // A part larger than the whole credit goes alone.
  [[nodiscard]] bool has_credit_for(std::uint64_t bytes) const {
    return bytes_in_flight == 0 || bytes_in_flight + bytes <= member.capacity.credit_bytes;
  }
};

class WorkerTable {
 public:
  explicit WorkerTable(std::uint64_t experts_total) : experts_total_(experts_total) {}

  // Takes over a new list; known workers keep their credits and queues. Returns what changed, in order of id.
  struct Change {
    std::vector<WorkerId> lost;
    std::vector<WorkerId> draining;  // Newly.
  };
  Change replace(std::vector<proto::Member> members);
  // After the parts of lost workers are gone.
  void erase(WorkerId worker) { workers_.erase(worker); }

  [[nodiscard]] WorkerState* find(WorkerId worker);
  [[nodiscard]] const WorkerState* find(WorkerId worker) const;
  [[nodiscard]] std::map<WorkerId, WorkerState>& all() { return workers_; }

  // Who may serve the expert, best first; without draining workers. Valid until replace().
  const std::vector<WorkerId>& owners(ExpertKey key);

  // The best owner outside `avoided`, one of `numerics` before all others. Nothing when there is none.
  std::optional<WorkerId> choose(ExpertKey key, std::span<const WorkerId> avoided,
                                 std::optional<std::uint64_t> numerics);
  // The first of `avoided` that owns the expert.
  std::optional<WorkerId> choose_again(ExpertKey key, std::span<const WorkerId> avoided);

 private:
  const std::uint64_t experts_total_;
  std::map<WorkerId, WorkerState> workers_;
  placement::Owners owners_;
  std::unordered_map<ExpertKey, std::vector<WorkerId>> owners_by_key_;  // At most one entry per expert of the model.
};

}  // namespace sida::router

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
#include "common/runtime/clock.h"

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

  // The best owner outside `avoided`: one that is not suspected before one that is, then one of `numerics` before the
  // others. Nothing when there is none.
  std::optional<WorkerId> choose(ExpertKey key, std::span<const WorkerId> avoided,
                                 std::optional<std::uint64_t> numerics, TimePoint now);
  // The first of `avoided` that owns the expert.
  std::optional<WorkerId> choose_again(ExpertKey key, std::span<const WorkerId> avoided);

  // It left a dispatch unanswered. For a while it gets rows only when nobody else can; then it is tried again, and if
  // it fails again, it is left alone for twice as long. Otherwise every call would wait for it in turn.
  void suspect(WorkerId worker, TimePoint now);
  // It answered.
  void trust(WorkerId worker) { suspicions_.erase(worker); }

 private:
  struct Suspicion {
    TimePoint until;
    Duration period{};
  };
  [[nodiscard]] bool suspected(WorkerId worker, TimePoint now) const;

  const std::uint64_t experts_total_;
  std::map<WorkerId, WorkerState> workers_;
  std::map<WorkerId, Suspicion> suspicions_;  // Kept while a worker is lost: it may come back as it was.
  placement::Owners owners_;
  std::unordered_map<ExpertKey, std::vector<WorkerId>> owners_by_key_;  // At most one entry per expert of the model.
};

}  // namespace sida::router

// What a worker should hold for its own sake: its share by placement, and in which order it is read when nothing else
// is wanted. No I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "common/base/ids.h"
#include "common/placement/owners.h"
#include "common/proto/messages.h"
#include "expert-worker/residency/slot_table.h"

namespace sida::worker {

class Share {
 public:
  Share(std::int32_t moe_layers, std::int32_t experts_per_layer)
      : moe_layers_(moe_layers), experts_per_layer_(experts_per_layer) {}

  // Derives the share of `self` anew: the experts that it owns. It is read most wanted first, as much as fits.
  void replace_members(std::span<const proto::Member> members, WorkerId self, std::uint32_t slots);
  // One of its experts was dropped from its slot: it is worth reading again.
  void evicted() { next_own_ = 0; }
  // Reading it failed: it is not tried again for its own sake before the members change.
  void unreadable(ExpertKey key) { unreadable_.insert(key); }
  void wanted(ExpertKey key, std::uint32_t rows) { rows_wanted_[key] += rows; }

  [[nodiscard]] bool owns(ExpertKey key) const { return own_.contains(key); }
  // Every expert of the share can be resident at once. Else the slots are a cache of it.
  [[nodiscard]] bool fits() const { return own_.size() == order_.size(); }

  // The next absent expert of the share, the same one until it is there or known to be unreadable.
  std::optional<ExpertKey> next_own(const SlotTable& slots);

 private:
  const std::int32_t moe_layers_;
  const std::int32_t experts_per_layer_;
  std::unordered_map<ExpertKey, std::uint64_t> rows_wanted_;  // At most one entry per expert of the model.
  std::unordered_set<ExpertKey> own_;
  std::vector<ExpertKey> order_;  // Of own_, as many as there are slots.
  std::size_t next_own_ = 0;      // In order_; those before it are not absent or not readable.
  std::unordered_set<ExpertKey> unreadable_;
};

}  // namespace sida::worker

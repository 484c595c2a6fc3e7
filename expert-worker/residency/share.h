// What a worker should hold: its own share by placement, and what it was advised to prefetch. Decides what to read from
// disk when nothing is demanded. No I/O.
#pragma once

#include <cstdint>
#include <deque>
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
  Share(std::int32_t moe_layers, std::int32_t experts_per_layer, std::size_t prefetch_max)
      : moe_layers_(moe_layers), experts_per_layer_(experts_per_layer), prefetch_max_(prefetch_max) {}

  // Derives the share of `self` anew: the experts that it owns, most wanted first, as many as it has slots.
  void replace_members(std::span<const proto::Member> members, WorkerId self, std::uint32_t slots);
  void wanted(ExpertKey key, std::uint32_t rows) { rows_wanted_[key] += rows; }
  void advise(const proto::Prefetch& prefetch);

  [[nodiscard]] bool owns(ExpertKey key) const { return own_.contains(key); }
  [[nodiscard]] std::size_t size() const { return order_.size(); }

  // The next absent expert worth reading: advice first, then the share, each expert once per roster.
  struct Want {
    ExpertKey key;
    bool advised = false;
  };
  std::optional<Want> next(const SlotTable& slots);

 private:
  const std::int32_t moe_layers_;
  const std::int32_t experts_per_layer_;
  const std::size_t prefetch_max_;
  std::unordered_map<ExpertKey, std::uint64_t> rows_wanted_;  // At most one entry per expert of the model.
  std::vector<ExpertKey> order_;
  std::size_t next_own_ = 0;  // In order_.
  std::unordered_set<ExpertKey> own_;
  std::deque<ExpertKey> advised_;
};

}  // namespace sida::worker

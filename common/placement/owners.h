// From a roster to owners: the one place where announced capacities become weights, used by routers to send rows and by
// workers to know what to load.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/ids.h"
#include "common/placement/placement.h"
#include "common/proto/messages.h"

namespace sida::placement {

// Weights of placement, one per member in the same order; 0 for draining members.
//
// While the members cannot hold all `experts_total` experts, a weight is the number of slots: all workers then keep the
// same fraction of their share in memory, and reading from disk is what costs. When everything fits, a weight is the
// number of experts that the worker should own: in proportion to its speed, but never more than its slots. Speeds are
// compared with the fastest in steps of the square root of two, so that machines of one kind count as equal.
std::vector<double> candidate_weights(std::span<const proto::Member> members, std::uint64_t experts_total);

// Who owns what under one roster. Immutable; any thread.
class Owners {
 public:
  Owners() = default;
  // `experts_total`: of the model, all MoE layers together. Draining members own nothing.
  Owners(std::span<const proto::Member> members, std::uint64_t experts_total);

  // Workers that can serve the expert, best first: the first is the owner. Empty when none covers the layer.
  // If members of one numerics id can hold the whole model, they come first (the id with the greatest weight): results
  // then do not depend on who is alive.
  [[nodiscard]] std::vector<WorkerId> of(ExpertKey key) const;

 private:
  struct Entry {
    Candidate candidate;
    std::vector<LayerId> covered_layers;  // Sorted; empty: all.
    bool home = false;                    // Of the preferred numerics id.
  };
  std::vector<Entry> entries_;
};

}  // namespace sida::placement

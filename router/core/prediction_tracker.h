// The hash-table entries of the sequences in flight, and how often the gate agreed with them. Advice only: nothing here
// changes an output. No I/O.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/proto/messages.h"
#include "router/core/request.h"

namespace sida::router {

// One thread. Bounded by the sequences that the scheduler admits: forget() each of them.
class PredictionTracker {
 public:
  PredictionTracker(std::int32_t encoder_layers, std::int32_t moe_layers, std::int32_t num_experts);

  void expect(SequenceId sequence, std::size_t source_tokens);
  void forget(SequenceId sequence);

  // False when the entries do not fit the model or the sequence (unknown layer, expert or token): nothing is kept.
  bool add(const proto::HashTableEntries& entries);

  // Compares the gate's choices for rows of a sequence, whose first row is token `first_token` of its stack, with the
  // best entry of each. Counts into the totals and into `report`.
  void compare(SequenceId sequence, LayerId layer, std::size_t first_token, std::span<const std::int32_t> gate,
               RoutingReport& report);

  [[nodiscard]] const std::vector<LayerAgreement>& layers() const { return layers_; }

 private:
  // Best expert per token; -1: no entry. Grows for decoder layers as tokens come.
  using TokenEntries = std::vector<std::int16_t>;
  struct Sequence {
    std::size_t source_tokens = 0;
    std::vector<TokenEntries> best;  // Per MoE layer.
  };

  std::int32_t encoder_layers_;
  std::int32_t num_experts_;
  std::unordered_map<SequenceId, Sequence> sequences_;
  std::vector<LayerAgreement> layers_;
};

// The distinct experts of new entries in order of need, with the rows predicted for each: what to prefetch.
std::vector<proto::Prefetch::Item> prefetch_items(const proto::HashTableEntries& entries);

}  // namespace sida::router

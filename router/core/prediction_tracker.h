// The hash-table entries of the sequences in flight: when they came, what they say for the rows of a step, and how
// often the gate agreed with them. No I/O, no clock.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/proto/messages.h"
#include "common/runtime/clock.h"
#include "router/core/request.h"
#include "router/routing/table_rows.h"
#include "router/scheduling/expert_set.h"

namespace sida::router {

enum class TableStack { kEncoder, kDecoder };

// Rows of one sequence in one MoE layer of a step that has ended.
struct UsedRows {
  LayerId layer;
  std::size_t first_token = 0;             // Of the first row in its stack.
  std::span<const std::int32_t> gate;      // [rows], the gate's choice; -1: not asked.
  std::span<const std::uint8_t> by_table;  // [rows]; 1: the table chose.
  TimePoint needed;                        // When the layer ran.
  TimePoint taken;                         // Entries that came later were of no use.
  bool asked = true;                       // Whoever was asked for the sequence's entries was asked for these.
};

// One thread. Bounded by the sequences that the scheduler admits: forget() each of them. 22 bytes a token and layer.
class PredictionTracker {
 public:
  PredictionTracker(std::int32_t encoder_layers, std::int32_t moe_layers, std::int32_t num_experts);

  // `asked`: a predictor was told of it, so that entries which do not come are late.
  void expect(SequenceId sequence, std::size_t source_tokens, bool asked, TimePoint now);
  void forget(SequenceId sequence);

  // False when the entries do not fit the model or the sequence (unknown layer, expert or token): nothing is kept. Of
  // two entries for one token in one layer the first stays.
  bool add(const proto::HashTableEntries& entries, TimePoint now);

  // Entries (or the word that there is none) are there for tokens [first, first + count) in every layer of the stack.
  [[nodiscard]] bool complete(SequenceId sequence, TableStack stack, std::size_t first, std::size_t count) const;
  // What is there for these tokens, the best k of each.
  [[nodiscard]] TableRows rows(SequenceId sequence, TableStack stack, std::size_t first, std::size_t count,
                               std::size_t k) const;

  // The best k of each source token in every encoder layer.
  [[nodiscard]] ExpertSet source_experts(SequenceId sequence, std::size_t k) const;

  // Counts into the totals and into `report`.
  void used(SequenceId sequence, const UsedRows& rows, RoutingReport& report);

  [[nodiscard]] const std::vector<LayerAgreement>& layers() const { return layers_; }

  // False when the layer's entries mostly came after it had run, lately: to read ahead for it is too late then.
  [[nodiscard]] bool in_time(LayerId layer) const { return late_shares_[static_cast<std::size_t>(layer.value)] <= 0.5; }

 private:
  // Grows for decoder layers as tokens come.
  struct LayerEntries {
    std::vector<std::int16_t> experts;   // [tokens, kKept], best first; -1: none.
    std::vector<float> confidences;      // [tokens, kKept]
    std::vector<std::uint32_t> arrived;  // [tokens], in us since the sequence began, from 1; 0: not yet.
    [[nodiscard]] bool has(std::size_t token) const { return token < arrived.size() && arrived[token] != 0; }
  };
  struct Sequence {
    std::size_t source_tokens = 0;
    bool asked = false;
    TimePoint began;
    std::vector<LayerEntries> layers;
  };
  struct Layers {
    std::size_t first = 0;
    std::size_t end = 0;
  };

  [[nodiscard]] bool fits(const proto::HashTableEntries& entries, const Sequence& sequence) const;
  [[nodiscard]] Layers of(TableStack stack) const;

  std::int32_t encoder_layers_;
  std::int32_t num_experts_;
  std::unordered_map<SequenceId, Sequence> sequences_;
  std::vector<LayerAgreement> layers_;
  std::vector<double> late_shares_;  // Moving averages, by layer.
};

// How far a sequence has come.
struct Progress {
  bool encoded = false;
  std::size_t decoded_tokens = 0;
};

// The step that would use these entries of its hash table is over: nothing can be read ahead of it any more.
[[nodiscard]] bool came_too_late(const proto::HashTableEntries& entries, std::int32_t encoder_layers,
                                 const Progress& sequence);

// The distinct experts among the best `k` of new entries of one sequence, in order of need, with the rows predicted for
// each: what to prefetch.
std::vector<proto::Prefetch::Item> prefetch_items(std::span<const proto::HashTableEntries> entries, std::size_t k);

}  // namespace sida::router

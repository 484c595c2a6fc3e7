#include "router/core/prediction_tracker.h"

#include <algorithm>
#include <map>

namespace sida::router {
namespace {

// A decoder that runs longer than this gets no more entries kept; far above what a request may generate.
constexpr std::size_t kDecoderTokensMax = 1U << 16U;
constexpr double kLateWeight = 1.0 / 16;  // Of one sequence's tokens in a layer's late share.
constexpr std::size_t kKept = 3;          // Entries per token: as many as routing by the table can use.

std::uint32_t micros_since(TimePoint began, TimePoint now) {
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now - began).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(micros, 1, UINT32_MAX));
}

}  // namespace

PredictionTracker::PredictionTracker(std::int32_t encoder_layers, std::int32_t moe_layers, std::int32_t num_experts)
    : encoder_layers_(encoder_layers),
      num_experts_(num_experts),
      layers_(static_cast<std::size_t>(moe_layers)),
      late_shares_(layers_.size(), 0.0) {
  for (std::size_t layer = 0; layer < layers_.size(); ++layer) layers_[layer].layer = static_cast<std::int32_t>(layer);
}

void PredictionTracker::expect(SequenceId sequence, std::size_t source_tokens, bool asked, TimePoint now) {
  sequences_[sequence] = {source_tokens, asked, now, std::vector<LayerEntries>(layers_.size())};
}

void PredictionTracker::forget(SequenceId sequence) {
  sequences_.erase(sequence);
}

bool PredictionTracker::fits(const proto::HashTableEntries& entries, const Sequence& sequence) const {
  const auto first = static_cast<std::size_t>(entries.first_layer.value);
  if (first + entries.layers > layers_.size()) return false;
  const auto out_of_range = [&](std::int16_t expert) { return expert < -1 || expert >= num_experts_; };
  if (std::any_of(entries.experts.begin(), entries.experts.end(), out_of_range)) return false;
  const std::size_t tokens_end = std::size_t{entries.first_token} + entries.tokens;
  const auto encoder_layers = static_cast<std::size_t>(encoder_layers_);
  if (first < encoder_layers && tokens_end > sequence.source_tokens) return false;
  return first + entries.layers <= encoder_layers || tokens_end <= kDecoderTokensMax;
}

bool PredictionTracker::add(const proto::HashTableEntries& entries, TimePoint now) {
  const auto found = sequences_.find(entries.sequence);
  if (found == sequences_.end() || !fits(entries, found->second)) return false;
  const std::uint32_t arrived = micros_since(found->second.began, now);
  const std::size_t tokens_end = std::size_t{entries.first_token} + entries.tokens;
  std::size_t source = 0;  // In the message.
  for (std::size_t layer = 0; layer < entries.layers; ++layer) {
    LayerEntries& kept = found->second.layers[static_cast<std::size_t>(entries.first_layer.value) + layer];
    if (kept.arrived.size() < tokens_end) {
      kept.arrived.resize(tokens_end, 0);
      kept.experts.resize(tokens_end * kKept, -1);
      kept.confidences.resize(tokens_end * kKept, 0);
    }
    for (std::size_t token = entries.first_token; token < tokens_end; ++token, source += entries.k) {
      if (kept.has(token)) continue;
      kept.arrived[token] = arrived;
      for (std::size_t rank = 0; rank < std::min<std::size_t>(entries.k, kKept); ++rank) {
        if (entries.experts[source + rank] < 0) break;
        kept.experts[token * kKept + rank] = entries.experts[source + rank];
        kept.confidences[token * kKept + rank] = entries.confidences[source + rank];
      }
    }
  }
  return true;
}

PredictionTracker::Layers PredictionTracker::of(TableStack stack) const {
  const auto encoder_layers = static_cast<std::size_t>(encoder_layers_);
  return stack == TableStack::kEncoder ? Layers{0, encoder_layers} : Layers{encoder_layers, layers_.size()};
}

bool PredictionTracker::complete(SequenceId sequence, TableStack stack, std::size_t first, std::size_t count) const {
  const auto found = sequences_.find(sequence);
  if (found == sequences_.end()) return false;
  const Layers layers = of(stack);
  // The last tokens come last, so an incomplete table is mostly found at the first look.
  for (std::size_t token = first + count; token > first; --token) {
    for (std::size_t layer = layers.first; layer < layers.end; ++layer) {
      if (!found->second.layers[layer].has(token - 1)) return false;
    }
  }
  return true;
}

TableRows PredictionTracker::rows(SequenceId sequence, TableStack stack, std::size_t first, std::size_t count,
                                  std::size_t k) const {
  const Layers layers = of(stack);
  TableRows table{.first_layer = LayerId{static_cast<std::int32_t>(layers.first)},
                  .layers = static_cast<std::uint32_t>(layers.end - layers.first),
                  .rows = static_cast<std::uint32_t>(count),
                  .k = static_cast<std::uint32_t>(std::clamp<std::size_t>(k, 1, kKept))};
  table.experts.assign(std::size_t{table.layers} * count * table.k, -1);
  table.confidences.assign(table.experts.size(), 0);
  const auto found = sequences_.find(sequence);
  if (found == sequences_.end()) return table;
  std::size_t entry = 0;
  for (std::size_t layer = layers.first; layer < layers.end; ++layer) {
    const LayerEntries& kept = found->second.layers[layer];
    for (std::size_t token = first; token < first + count; ++token, entry += table.k) {
      if (!kept.has(token)) continue;
      for (std::size_t rank = 0; rank < table.k; ++rank) {
        table.experts[entry + rank] = kept.experts[token * kKept + rank];
        table.confidences[entry + rank] = kept.confidences[token * kKept + rank];
      }
    }
  }
  return table;
}

ExpertSet PredictionTracker::source_experts(SequenceId sequence, std::size_t k) const {
  const auto encoder_layers = static_cast<std::size_t>(encoder_layers_);
  const auto num_experts = static_cast<std::size_t>(num_experts_);
  ExpertSet used(encoder_layers * num_experts);
  const auto found = sequences_.find(sequence);
  if (found == sequences_.end()) return used;
  for (std::size_t layer = 0; layer < encoder_layers; ++layer) {
    const std::vector<std::int16_t>& experts = found->second.layers[layer].experts;
    for (std::size_t index = 0; index < experts.size(); ++index) {
      if (index % kKept < k && experts[index] >= 0) {
        used.add(layer * num_experts + static_cast<std::size_t>(experts[index]));
      }
    }
  }
  return used;
}

void PredictionTracker::used(SequenceId sequence, const UsedRows& rows, RoutingReport& report) {
  report.routed += rows.gate.size();
  const auto found = sequences_.find(sequence);
  if (found == sequences_.end()) return;
  const LayerEntries& kept = found->second.layers[static_cast<std::size_t>(rows.layer.value)];
  LayerAgreement counted{.routed = rows.gate.size()};
  const std::uint32_t taken = micros_since(found->second.began, rows.taken);
  std::uint32_t last = 0;
  for (std::size_t row = 0; row < rows.gate.size(); ++row) {
    const std::size_t token = rows.first_token + row;
    counted.by_table += rows.by_table[row];
    if (!kept.has(token) || kept.arrived[token] > taken) {
      counted.late += found->second.asked && rows.asked ? 1 : 0;
      continue;
    }
    last = std::max(last, kept.arrived[token]);
    const std::int32_t best = kept.experts[token * kKept];
    if (best < 0) continue;
    ++counted.predicted;
    if (rows.gate[row] < 0) continue;
    ++counted.compared;
    counted.agreed += best == rows.gate[row] ? 1 : 0;
  }
  const auto index = static_cast<std::size_t>(rows.layer.value);
  if (counted.routed > 0) {
    const double share = static_cast<double>(counted.late) / static_cast<double>(counted.routed);
    late_shares_[index] += (share - late_shares_[index]) * kLateWeight;
  }
  LayerAgreement& total = layers_[index];
  if (counted.late == 0 && last > 0) {
    const auto there = found->second.began + std::chrono::microseconds(last);
    total.lead.add(std::chrono::duration_cast<std::chrono::microseconds>(rows.needed - there));
  }
  total += counted;
  report.predicted += counted.predicted;
  report.compared += counted.compared;
  report.agreed += counted.agreed;
  report.by_table += counted.by_table;
  report.late += counted.late;
}

bool came_too_late(const proto::HashTableEntries& entries, std::int32_t encoder_layers, const Progress& sequence) {
  if (entries.first_layer.value < encoder_layers) return sequence.encoded;
  return std::size_t{entries.first_token} + entries.tokens <= sequence.decoded_tokens;
}

std::vector<proto::Prefetch::Item> prefetch_items(std::span<const proto::HashTableEntries> messages, std::size_t k) {
  // Layers are needed in their order; within one, the expert with more rows first.
  std::map<ExpertKey, std::uint32_t> rows;
  for (const proto::HashTableEntries& entries : messages) {
    for (std::size_t index = 0; index < entries.experts.size(); ++index) {
      if (index % entries.k >= k || entries.experts[index] < 0) continue;
      const auto layer = static_cast<std::int32_t>(index / entries.k / std::max<std::size_t>(1, entries.tokens));
      ++rows[{LayerId{entries.first_layer.value + layer}, ExpertId{entries.experts[index]}}];
    }
  }
  std::vector<proto::Prefetch::Item> items;
  for (const auto& [key, count] : rows) items.push_back({key, count});
  std::stable_sort(items.begin(), items.end(), [](const auto& a, const auto& b) {
    return a.key.layer != b.key.layer ? a.key.layer < b.key.layer : a.rows > b.rows;
  });
  return items;
}

}  // namespace sida::router

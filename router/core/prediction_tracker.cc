#include "router/core/prediction_tracker.h"

#include <algorithm>
#include <map>

namespace sida::router {
namespace {

// A decoder that runs longer than this gets no more entries kept; far above what a request may generate.
constexpr std::size_t kDecoderTokensMax = 1U << 16U;

}  // namespace

PredictionTracker::PredictionTracker(std::int32_t encoder_layers, std::int32_t moe_layers, std::int32_t num_experts)
    : encoder_layers_(encoder_layers), num_experts_(num_experts), layers_(static_cast<std::size_t>(moe_layers)) {
  for (std::size_t layer = 0; layer < layers_.size(); ++layer) layers_[layer].layer = static_cast<std::int32_t>(layer);
}

void PredictionTracker::expect(SequenceId sequence, std::size_t source_tokens) {
  sequences_[sequence] = {source_tokens, std::vector<TokenEntries>(layers_.size())};
}

void PredictionTracker::forget(SequenceId sequence) {
  sequences_.erase(sequence);
}

bool PredictionTracker::add(const proto::HashTableEntries& entries) {
  const auto found = sequences_.find(entries.sequence);
  if (found == sequences_.end()) return false;
  const auto first = static_cast<std::size_t>(entries.first_layer.value);
  if (first + entries.layers > layers_.size()) return false;
  const auto out_of_range = [&](std::int16_t expert) { return expert < -1 || expert >= num_experts_; };
  if (std::any_of(entries.experts.begin(), entries.experts.end(), out_of_range)) return false;
  const std::size_t tokens_end = std::size_t{entries.first_token} + entries.tokens;
  for (std::size_t layer = first; layer < first + entries.layers; ++layer) {
    const bool encoder = layer < static_cast<std::size_t>(encoder_layers_);
    if (tokens_end > (encoder ? found->second.source_tokens : kDecoderTokensMax)) return false;
    TokenEntries& best = found->second.best[layer];
    if (best.size() < tokens_end) best.resize(tokens_end, -1);
    const std::size_t row = (layer - first) * entries.tokens;
    for (std::size_t token = 0; token < entries.tokens; ++token) {
      best[entries.first_token + token] = entries.experts[(row + token) * entries.k];
    }
  }
  return true;
}

void PredictionTracker::compare(SequenceId sequence, LayerId layer, std::size_t first_token,
                                std::span<const std::int32_t> gate, RoutingReport& report) {
  report.routed += gate.size();
  const auto found = sequences_.find(sequence);
  if (found == sequences_.end()) return;
  const TokenEntries& best = found->second.best[static_cast<std::size_t>(layer.value)];
  LayerAgreement& total = layers_[static_cast<std::size_t>(layer.value)];
  for (std::size_t row = 0; row < gate.size(); ++row) {
    const std::size_t token = first_token + row;
    if (token >= best.size() || best[token] < 0) continue;
    const std::uint64_t agreed = best[token] == gate[row] ? 1 : 0;
    ++total.predicted;
    total.agreed += agreed;
    ++report.predicted;
    report.agreed += agreed;
  }
}

std::vector<proto::Prefetch::Item> prefetch_items(const proto::HashTableEntries& entries) {
  // Layers are needed in their order; within one, the expert with more rows first.
  std::map<ExpertKey, std::uint32_t> rows;
  for (std::size_t index = 0; index < entries.experts.size(); index += entries.k) {
    if (entries.experts[index] < 0) continue;
    const auto layer = static_cast<std::int32_t>(index / entries.k / std::max<std::size_t>(1, entries.tokens));
    ++rows[{LayerId{entries.first_layer.value + layer}, ExpertId{entries.experts[index]}}];
  }
  std::vector<proto::Prefetch::Item> items;
  for (const auto& [key, count] : rows) items.push_back({key, count});
  std::stable_sort(items.begin(), items.end(), [](const auto& a, const auto& b) {
    return a.key.layer != b.key.layer ? a.key.layer < b.key.layer : a.rows > b.rows;
  });
  return items;
}

}  // namespace sida::router

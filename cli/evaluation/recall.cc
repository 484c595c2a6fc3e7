#include "cli/evaluation/recall.h"

#include <algorithm>
#include <cmath>

namespace sida::cli {
namespace {

constexpr std::size_t kRanks = 3;

void add(StackRecall& to, const StackRecall& more) {
  if (to.size() < more.size()) to.resize(more.size());
  for (std::size_t layer = 0; layer < more.size(); ++layer) to[layer] += more[layer];
}

// The gate's probability of `expert`; 0 when it is not among those recorded.
double probability(const trace::TracedLayer& layer, std::size_t token, std::size_t top, std::int16_t expert) {
  const auto first = layer.top_experts.begin() + static_cast<std::ptrdiff_t>(token * top);
  const auto end = first + static_cast<std::ptrdiff_t>(top);
  const auto found = std::find(first, end, expert);
  if (found == end) return 0;
  return std::exp(
      static_cast<double>(layer.top_log_probabilities[static_cast<std::size_t>(found - layer.top_experts.begin())]));
}

}  // namespace

Recall& Recall::operator+=(const Recall& more) {
  tokens += more.tokens;
  top1 += more.top1;
  top3 += more.top3;
  gate_mass += more.gate_mass;
  return *this;
}

double Recall::percent(double count) const {
  return tokens == 0 ? 0 : 100 * count / static_cast<double>(tokens);
}

Recall total(const StackRecall& layers) {
  Recall sum;
  for (const Recall& layer : layers) sum += layer;
  return sum;
}

SequenceRecall& SequenceRecall::operator+=(const SequenceRecall& more) {
  add(encoder, more.encoder);
  add(decoder, more.decoder);
  return *this;
}

SequenceRecall all_tasks(const TaskRecall& tasks) {
  SequenceRecall sum;
  for (const auto& [name, recall] : tasks) sum += recall;
  return sum;
}

StackRecall recall_of(const trace::TraceHeader& header, const std::vector<trace::TracedLayer>& layers,
                      const predictor::Predictions& predictions) {
  SIDA_CHECK(predictions.layers == layers.size());
  const auto top = static_cast<std::size_t>(header.top());
  StackRecall recall(layers.size());
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    SIDA_CHECK(layers[layer].gate.size() == predictions.tokens);
    for (std::size_t token = 0; token < predictions.tokens; ++token) {
      const std::int16_t* named = predictions.experts.data() + (layer * predictions.tokens + token) * predictions.k;
      ++recall[layer].tokens;
      for (std::size_t rank = 0; rank < std::min<std::size_t>(kRanks, predictions.k); ++rank) {
        if (named[rank] < 0) continue;
        const bool chosen = named[rank] == layers[layer].gate[token];
        recall[layer].top1 += chosen && rank == 0 ? 1 : 0;
        recall[layer].top3 += chosen ? 1 : 0;
        recall[layer].gate_mass += probability(layers[layer], token, top, named[rank]);
      }
    }
  }
  return recall;
}

double normalised_entropy(const std::vector<std::uint64_t>& tokens_by_expert) {
  double tokens = 0;
  for (const std::uint64_t count : tokens_by_expert) tokens += static_cast<double>(count);
  if (tokens == 0 || tokens_by_expert.size() < 2) return 0;
  double entropy = 0;
  for (const std::uint64_t count : tokens_by_expert) {
    const double share = static_cast<double>(count) / tokens;
    if (share > 0) entropy -= share * std::log(share);
  }
  return entropy / std::log(static_cast<double>(tokens_by_expert.size()));
}

}  // namespace sida::cli

#include "predictor/training/held_out_hits.h"

#include <algorithm>
#include <cmath>

namespace sida::predictor {
namespace {

constexpr std::uint8_t kRanks = 3;

double probability_of(const trace::TracedLayer& layer, std::size_t token, std::size_t top, std::int16_t expert) {
  for (std::size_t rank = token * top; rank < (token + 1) * top; ++rank) {
    if (layer.top_experts[rank] == expert) return std::exp(static_cast<double>(layer.top_log_probabilities[rank]));
  }
  return 0;
}

// `token` of the prediction against `row` of the trace.
void add_token(const Predictions& predicted, std::size_t layer, std::size_t token, const trace::TracedLayer& truth,
               std::size_t row, std::size_t top, LayerHits& to) {
  ++to.tokens;
  const std::size_t at = (layer * predicted.tokens + token) * predicted.k;
  for (std::size_t rank = 0; rank < predicted.k; ++rank) {
    const std::int16_t expert = predicted.experts[at + rank];
    if (expert == truth.gate[row]) {
      to.top1 += rank == 0 ? 1 : 0;
      ++to.top3;
    }
    to.gate_mass += probability_of(truth, row, top, expert);
  }
  to.confidence += static_cast<double>(predicted.confidences[at]);
}

void add_layers(const Predictions& predicted, std::size_t first_row, const std::vector<trace::TracedLayer>& truth,
                std::size_t top, std::vector<LayerHits>& to) {
  to.resize(truth.size());
  for (std::size_t layer = 0; layer < std::min<std::size_t>(predicted.layers, truth.size()); ++layer) {
    for (std::size_t token = 0; token < predicted.tokens; ++token) {
      add_token(predicted, layer, token, truth[layer], first_row + token, top, to[layer]);
    }
  }
}

}  // namespace

void count_hits(const trace::TraceHeader& header, const trace::TracedSequence& sequence, HashFunction& function,
                TaskHits& to) {
  StackHits& hits = to[sequence.task];
  const auto top = static_cast<std::size_t>(header.top());
  const std::uint8_t k = std::min(kRanks, function.info().k_max);
  const Source source{sequence.source, k};
  const auto begun = function.begin({&source, 1});
  add_layers(begun[0].predictions, 0, sequence.encoder, top, hits.encoder);
  std::size_t row = 0;
  for (const std::int32_t token : trace::decoder_input(header, sequence)) {
    const DecoderInput input{begun[0].state.get(), token, k};
    add_layers(function.advance({&input, 1})[0], row++, sequence.decoder, top, hits.decoder);
  }
}

}  // namespace sida::predictor

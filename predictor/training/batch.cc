#include "predictor/training/batch.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

namespace sida::predictor {
namespace {

using Tokens = std::vector<std::vector<std::int32_t>>;
using Layers = std::vector<const std::vector<trace::TracedLayer>*>;

void pad(const Tokens& rows, BatchSide& side) {
  std::size_t longest = 1;
  for (const auto& row : rows) longest = std::max(longest, row.size());
  const auto count = static_cast<std::int64_t>(rows.size());
  side.tokens = at::zeros({count, static_cast<std::int64_t>(longest)}, at::kLong);
  side.real = at::zeros({count, static_cast<std::int64_t>(longest)}, at::kBool);
  auto* tokens = side.tokens.mutable_data_ptr<std::int64_t>();
  auto* real = side.real.mutable_data_ptr<bool>();
  for (const auto& row : rows) {
    std::copy(row.begin(), row.end(), tokens);
    std::fill_n(real, row.size(), true);
    tokens += longest;
    real += longest;
  }
}

// One layer's rows of all sequences into [N, L, ...] at layer `layer`.
void copy_routes(const Tokens& rows, const Layers& routes, std::int64_t layers, std::int64_t top, BatchSide& side) {
  std::size_t tokens = 0;
  for (const auto& row : rows) tokens += row.size();
  const auto count = static_cast<std::int64_t>(tokens);
  side.gate = at::empty({count, layers}, at::kLong);
  side.top_experts = at::empty({count, layers, top}, at::kLong);
  side.log_probabilities = at::empty({count, layers, top}, at::kFloat);
  auto* gate = side.gate.mutable_data_ptr<std::int64_t>();
  auto* experts = side.top_experts.mutable_data_ptr<std::int64_t>();
  auto* logs = side.log_probabilities.mutable_data_ptr<float>();
  const auto width = static_cast<std::size_t>(top);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t token = 0; token < rows[i].size(); ++token) {
      for (const trace::TracedLayer& layer : *routes[i]) {
        *gate++ = layer.gate[token];
        experts = std::copy_n(layer.top_experts.begin() + static_cast<std::ptrdiff_t>(token * width), width, experts);
        logs =
            std::copy_n(layer.top_log_probabilities.begin() + static_cast<std::ptrdiff_t>(token * width), width, logs);
      }
    }
  }
}

}  // namespace

Batch make_batch(const trace::TraceHeader& header, std::span<const trace::TracedSequence> sequences) {
  Tokens sources;
  Tokens targets;
  Layers encoder;
  Layers decoder;
  for (const trace::TracedSequence& sequence : sequences) {
    sources.push_back(sequence.source);
    targets.push_back(trace::decoder_input(header, sequence));
    encoder.push_back(&sequence.encoder);
    decoder.push_back(&sequence.decoder);
  }
  Batch batch;
  pad(sources, batch.source);
  copy_routes(sources, encoder, header.encoder_layers, header.top(), batch.source);
  pad(targets, batch.target);
  copy_routes(targets, decoder, header.decoder_layers, header.top(), batch.target);
  return batch;
}

}  // namespace sida::predictor

#include "predictor/network/published.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>
#include <utility>

#include "predictor/network/sparsemax.h"

namespace sida::predictor {
namespace {

float sigmoid(float x) {
  return 1.0F / (1.0F + std::exp(-x));
}

// Activations as a matrix for the kernels.
class PackedRows {
 public:
  PackedRows(const float* values, std::int64_t outputs, std::int64_t inputs) {
    const std::size_t bytes = packed_bytes(outputs, inputs, DType::kFloat32);
    memory_.reset(static_cast<std::byte*>(std::aligned_alloc(64, bytes)));
    SIDA_CHECK(memory_ != nullptr);
    packed_ = pack(values, DType::kFloat32, outputs, inputs, DType::kFloat32, std::span(memory_.get(), bytes));
  }
  [[nodiscard]] const PackedMatrix& packed() const { return packed_; }

 private:
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  std::unique_ptr<std::byte, Free> memory_;
  PackedMatrix packed_;
};

// [rows, columns] to [columns, rows].
std::vector<float> transposed(const OwnedRows& x) {
  const auto rows = static_cast<std::size_t>(x.count());
  const auto columns = static_cast<std::size_t>(x.columns());
  std::vector<float> turned(rows * columns);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      turned[column * rows + row] = x.values()[row * columns + column];
    }
  }
  return turned;
}

// One step of an LSTM: gates [4 width], before their activations; cell and hidden [width] are replaced.
void lstm_step(const float* gates, std::size_t width, float* cell, float* hidden) {
  for (std::size_t i = 0; i < width; ++i) {
    const float kept = sigmoid(gates[width + i]) * cell[i];
    cell[i] = kept + sigmoid(gates[i]) * std::tanh(gates[2 * width + i]);
    hidden[i] = sigmoid(gates[3 * width + i]) * std::tanh(cell[i]);
  }
}

}  // namespace

Published::Published(const NetworkShape& shape, const ModelShape& model, PackedWeights weights,
                     const TokenEmbedding& embedding, compute::Backend& backend)
    : width_(shape.width),
      encoder_layers_(model.encoder_layers),
      num_experts_(model.num_experts),
      weights_(std::move(weights)),
      embedding_(embedding),
      backend_(backend) {
  SIDA_CHECK(weights_.dtype() == DType::kFloat32);
  for (std::size_t layer = 0; layer < lstm_.size(); ++layer) {
    const std::string prefix = "lstm." + std::to_string(layer) + ".";
    lstm_[layer] = {weights_.matrix(prefix + "input"), weights_.matrix(prefix + "recurrent"),
                    weights_.vector(prefix + "bias")};
  }
}

OwnedRows Published::linear(const OwnedRows& x, const PackedMatrix& weight, std::span<const float> bias) {
  OwnedRows y(x.count(), weight.outputs, DType::kFloat32);
  backend_.linear(x.rows(), weight, y.rows());
  std::size_t column = 0;
  for (float& value : y.values()) {
    value += bias[column];
    if (++column == bias.size()) column = 0;
  }
  return y;
}

OwnedRows Published::lstm(const LstmLayer& layer, const OwnedRows& x, Sources sources) {
  const OwnedRows inputs = linear(x, layer.input, layer.bias);
  const auto width = static_cast<std::size_t>(width_);
  OwnedRows outputs(x.count(), width_, DType::kFloat32);
  // Longest first: those that still run are a prefix.
  std::vector<std::size_t> order(sources.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return sources[a].size() > sources[b].size(); });
  std::vector<std::int64_t> first(sources.size());
  for (std::size_t i = 1; i < sources.size(); ++i) {
    first[i] = first[i - 1] + static_cast<std::int64_t>(sources[i - 1].size());
  }
  const auto all = static_cast<std::int64_t>(sources.size());
  OwnedRows hidden(all, width_, DType::kFloat32);
  OwnedRows cell(all, width_, DType::kFloat32);
  OwnedRows gates(all, 4 * width_, DType::kFloat32);
  std::int64_t running = all;
  for (std::size_t step = 0;; ++step) {
    while (running > 0 && sources[order[static_cast<std::size_t>(running - 1)]].size() <= step) --running;
    if (running == 0) return outputs;
    backend_.linear(std::as_const(hidden).part(0, running), layer.recurrent, gates.part(0, running));
    for (std::int64_t i = 0; i < running; ++i) {
      const std::int64_t row = first[order[static_cast<std::size_t>(i)]] + static_cast<std::int64_t>(step);
      float* sum = gates.part(i, 1).f32();
      const float* input = inputs.part(row, 1).f32();
      std::transform(sum, sum + 4 * width, input, sum, std::plus<>());
      lstm_step(sum, width, cell.part(i, 1).f32(), hidden.part(i, 1).f32());
      std::memcpy(outputs.part(row, 1).data, hidden.part(i, 1).data, width * sizeof(float));
    }
  }
}

OwnedRows Published::attend(const OwnedRows& hidden) {
  const std::int64_t tokens = hidden.count();
  const PackedRows keys(hidden.rows().f32(), tokens, width_);
  OwnedRows weights(tokens, tokens, DType::kFloat32);
  backend_.linear(hidden.rows(), keys.packed(), weights.rows());
  const float scale = 1.0F / std::sqrt(static_cast<float>(width_));
  for (std::int64_t row = 0; row < tokens; ++row) {
    const std::span<float> scores(weights.part(row, 1).f32(), static_cast<std::size_t>(tokens));
    for (float& score : scores) score *= scale;
    sparsemax(scores);
    const float sum = std::accumulate(scores.begin(), scores.end(), 0.0F);
    for (float& score : scores) score /= sum;
  }
  const std::vector<float> turned = transposed(hidden);
  const PackedRows values(turned.data(), width_, tokens);
  OwnedRows mixed(tokens, width_, DType::kFloat32);
  backend_.linear(weights.rows(), values.packed(), mixed.rows());
  return mixed;
}

std::vector<EncodedSource> Published::encode(Sources sources) {
  std::vector<std::int32_t> tokens;
  for (const auto& source : sources) tokens.insert(tokens.end(), source.begin(), source.end());
  OwnedRows x = linear(embedding_.look_up(tokens), weights_.matrix("input.weight"), weights_.vector("input.bias"));
  for (float& value : x.values()) value = std::max(0.0F, value);
  OwnedRows hidden = lstm(lstm_[0], x, sources);
  hidden = lstm(lstm_[1], hidden, sources);

  std::vector<EncodedSource> results(sources.size());
  std::int64_t first = 0;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const auto count = static_cast<std::int64_t>(sources[i].size());
    OwnedRows own(0, width_, DType::kFloat32);
    own.append(std::as_const(hidden).part(first, count));
    OwnedRows read(0, width_, DType::kFloat32);
    read.append(std::as_const(x).part(first, count));
    first += count;
    OwnedRows y = linear(read, weights_.matrix("residual.weight"), weights_.vector("residual.bias"));
    const OwnedRows mixed = attend(own);
    std::transform(y.values().begin(), y.values().end(), mixed.values().begin(), y.values().begin(), std::plus<>());
    const OwnedRows named = linear(y, weights_.matrix("heads.weight"), weights_.vector("heads.bias"));
    for (std::int64_t layer = 0; layer < encoder_layers_; ++layer) {
      OwnedRows& logits = results[i].logits.emplace_back(count, num_experts_, DType::kFloat32);
      for (std::int64_t row = 0; row < count; ++row) {
        std::memcpy(logits.part(row, 1).data, named.part(row, 1).f32() + layer * num_experts_,
                    logits.rows().row_bytes());
      }
    }
  }
  return results;
}

std::vector<OwnedRows> Published::decode(std::span<const DecoderToken>) {
  return {};
}

}  // namespace sida::predictor

#include "predictor/training/differentiable_published.h"

#include <ATen/ATen.h>

#include <cmath>
#include <tuple>
#include <vector>

namespace sida::predictor {
namespace {

constexpr double kMasked = -1e9;

// Over the last dimension (Martins and Astudillo, ICML 2016).
at::Tensor sparsemax(const at::Tensor& scores) {
  const at::Tensor sorted = std::get<0>(scores.sort(-1, /*descending=*/true));
  const at::Tensor rank = at::arange(1, scores.size(-1) + 1, at::kFloat);
  const at::Tensor sums = sorted.cumsum(-1);
  const at::Tensor size = (1 + rank * sorted).gt(sums).sum(-1, /*keepdim=*/true);
  const at::Tensor threshold = (sums.gather(-1, size - 1) - 1) / size;
  return at::clamp_min(scores - threshold, 0);
}

// Two layers, one direction; padding stands at the end, where nothing reads it.
at::Tensor lstm(const Parameters& parameters, const at::Tensor& x) {
  std::vector<at::Tensor> weights;
  for (std::int64_t layer = 0; layer < kPublishedLstmLayers; ++layer) {
    const std::string at = "lstm." + std::to_string(layer) + ".";
    const at::Tensor& bias = parameters.at(at + "bias");
    weights.insert(weights.end(),
                   {parameters.at(at + "input"), parameters.at(at + "recurrent"), bias, at::zeros_like(bias)});
  }
  const at::Tensor start = at::zeros({kPublishedLstmLayers, x.size(0), x.size(2)}, at::kFloat);
  return std::get<0>(at::lstm(x, {start, start}, weights, /*has_biases=*/true, kPublishedLstmLayers, /*dropout=*/0.0,
                              /*train=*/false, /*bidirectional=*/false, /*batch_first=*/true));
}

}  // namespace

at::Tensor run_published(const ModelShape& model, const Parameters& parameters, const at::Tensor& embedding,
                         const BatchSide& source) {
  const at::Tensor x = at::relu(
      at::linear(at::embedding(embedding, source.tokens), parameters.at("input.weight"), parameters.at("input.bias")));
  const at::Tensor hidden = lstm(parameters, x);
  at::Tensor scores = at::matmul(hidden, hidden.transpose(1, 2)) / std::sqrt(static_cast<double>(hidden.size(2)));
  scores = scores.masked_fill(source.real.logical_not().unsqueeze(1), kMasked);
  at::Tensor weights = sparsemax(scores);
  weights = weights / weights.sum(-1, /*keepdim=*/true);
  const at::Tensor y =
      at::matmul(weights, hidden) + at::linear(x, parameters.at("residual.weight"), parameters.at("residual.bias"));
  const at::Tensor named =
      at::linear(y.index({source.real}), parameters.at("heads.weight"), parameters.at("heads.bias"));
  return named.view({-1, model.encoder_layers, model.num_experts});
}

}  // namespace sida::predictor

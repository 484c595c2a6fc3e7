#include <ATen/core/Tensor.h>

#include <utility>

#include "router/trunk/batch.h"
#include "router/trunk/tensor_rows.h"

namespace sida::router {
namespace {

// The gate's choice and its probability, per row.
struct Gated {
  std::vector<std::int32_t> experts;
  std::vector<float> weights;
};

Gated run_gate(Batch& batch, const FeedForwardWeights& weights) {
  const auto& context = batch.context();
  const auto rows = static_cast<std::size_t>(batch.rows());
  Gated gated{std::vector<std::int32_t>(rows), std::vector<float>(rows)};
  std::vector<float> probabilities(rows * static_cast<std::size_t>(weights.classifier.outputs));
  context.backend.gate({.x = batch.normed(),
                        .classifier = weights.classifier,
                        .bias = weights.router_bias,
                        .round_to = context.weights.dtype(),
                        .probabilities = probabilities,
                        .expert_ids = gated.experts,
                        .weights = gated.weights});
  if (context.observer != nullptr) context.observer->gate(weights.layer, probabilities);
  return gated;
}

}  // namespace

void drop_over_capacity(std::span<std::int32_t> experts, std::span<const std::int64_t> rows_per_sequence,
                        std::int64_t num_experts, std::int64_t capacity) {
  if (capacity <= 0) return;
  std::size_t row = 0;
  for (const std::int64_t rows : rows_per_sequence) {
    std::vector<std::int64_t> used(static_cast<std::size_t>(num_experts), 0);
    for (std::int64_t index = 0; index < rows; ++index, ++row) {
      if (++used[static_cast<std::size_t>(experts[row])] > capacity) experts[row] = -1;
    }
  }
}

Task<Result<void>> feed_forward(Batch& batch, const FeedForwardWeights& weights, std::vector<LayerRouting>& routing) {
  batch.norm(weights.norm);
  if (!weights.sparse()) {
    batch.add_dense(weights.dense);
    co_return Result<void>();
  }
  const auto& context = batch.context();
  const auto& config = context.weights.config();
  Gated gated = run_gate(batch, weights);
  LayerRouting layer{.layer = weights.layer, .gate = gated.experts, .served = gated.experts, .served_by = {}};
  drop_over_capacity(layer.served, batch.rows_per_sequence(), weights.classifier.outputs, config.expert_capacity);

  const at::Tensor expert_rows = empty_rows(batch.rows(), config.d_model, context.weights.dtype());
  ExpertCall call{.step = context.step,
                  .layer = weights.layer,
                  .rows = batch.normed(),
                  .experts = layer.served,
                  .out = rows_of(expert_rows),
                  .deadline = context.deadline,
                  .served_by = {},
                  .result = {},
                  .waiting = {}};
  auto answered = co_await run_experts(context.experts, call);
  if (!answered) co_return tl::unexpected(std::move(answered).error());
  batch.add_experts(rows_of(expert_rows), layer.served, gated.weights);
  layer.served_by = std::move(call.served_by);
  routing.push_back(std::move(layer));
  co_return Result<void>();
}

}  // namespace sida::router

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "router/routing/expert_weights.h"
#include "router/routing/layer_plan.h"
#include "router/trunk/batch.h"
#include "router/trunk/record_gate.h"
#include "router/trunk/tensor_rows.h"

namespace sida::router {
namespace {

// What the gate says of some rows.
struct Gated {
  std::vector<std::int32_t> experts;  // [rows]
  std::vector<float> weights;         // [rows]
  std::vector<float> probabilities;   // [rows, experts], not rounded.
};

Gated run_gate(const ForwardContext& context, const FeedForwardWeights& weights, ConstRows x) {
  const auto rows = static_cast<std::size_t>(x.count);
  Gated gated{std::vector<std::int32_t>(rows), std::vector<float>(rows),
              std::vector<float>(rows * static_cast<std::size_t>(weights.classifier.outputs))};
  context.backend.gate({.x = x,
                        .classifier = weights.classifier,
                        .bias = weights.router_bias,
                        .round_to = context.weights.dtype(),
                        .probabilities = gated.probabilities,
                        .expert_ids = gated.experts,
                        .weights = gated.weights});
  if (context.observer != nullptr) context.observer->gate(weights.layer, gated.probabilities);
  return gated;
}

// The gate over some of the batch's rows: a row's bits do not depend on which others are there.
Gated run_gate(const Batch& batch, const FeedForwardWeights& weights, const std::vector<std::int32_t>& rows) {
  const ConstRows all = batch.normed();
  if (rows.size() == static_cast<std::size_t>(all.count)) return run_gate(batch.context(), weights, all);
  const at::Tensor some = empty_rows(static_cast<std::int64_t>(rows.size()), all.columns, all.dtype);
  const Rows gathered = rows_of(some);
  for (std::size_t index = 0; index < rows.size(); ++index) {
    std::memcpy(gathered.row(static_cast<std::int64_t>(index)), all.row(rows[index]), all.row_bytes());
  }
  return run_gate(batch.context(), weights, gathered);
}

LayerPlan plan(const Batch& batch, LayerId layer) {
  std::vector<PlannedSequence> sequences;
  sequences.reserve(batch.sequences().size());
  for (const BatchSequence& sequence : batch.sequences()) {
    sequences.push_back({.id = sequence.state->id,
                         .rows = static_cast<std::size_t>(sequence.rows),
                         .first_position = static_cast<std::size_t>(sequence.first_position),
                         .mode = sequence.state->routing,
                         .table = sequence.state->table ? &*sequence.state->table : nullptr});
  }
  return plan_layer(layer, sequences, batch.context().routing);
}

// Hash routing: the model's own table decides alone, with weight 1.
LayerPlan plan_by_token(const Batch& batch, const FeedForwardWeights& weights) {
  const auto rows = static_cast<std::size_t>(batch.rows());
  LayerPlan plan{.k = 1, .experts = {}, .weights = std::vector<float>(rows, 1.0F)};
  plan.by_table.assign(rows, 0);
  for (const std::int32_t token : batch.tokens()) {
    plan.experts.push_back(weights.token_experts[static_cast<std::size_t>(token)]);
  }
  return plan;
}

// The rows that the table leaves to the gate.
void ask_gate(const Batch& batch, const FeedForwardWeights& weights, LayerPlan& plan, LayerRouting& routing) {
  if (plan.ask.empty()) return;
  const Gated gated = run_gate(batch, weights, plan.ask);
  for (std::size_t index = 0; index < plan.ask.size(); ++index) {
    const auto row = static_cast<std::size_t>(plan.ask[index]);
    routing.gate[row] = gated.experts[index];
    plan.experts[row * plan.k] = gated.experts[index];
    plan.weights[row * plan.k] = gated.weights[index];
  }
  if (batch.context().record_gates) {
    routing.gates = record_gate(routing.gate.size(), plan.ask, gated.experts, gated.probabilities);
  }
}

// The rows that have left by the table: how the gate would have chosen and, where that is wanted, their weights.
void ask_gate_meanwhile(const Batch& batch, const FeedForwardWeights& weights, LayerPlan& plan, LayerRouting& routing) {
  if (plan.sample.empty()) return;
  Gated gated = run_gate(batch, weights, plan.sample);
  if (batch.context().weights.dtype() == DType::kBFloat16) {
    for (float& probability : gated.probabilities) probability = round_to_bfloat16(probability);
  }
  const std::size_t experts = gated.probabilities.size() / plan.sample.size();
  for (std::size_t index = 0; index < plan.sample.size(); ++index) {
    const auto row = static_cast<std::size_t>(plan.sample[index]);
    routing.gate[row] = gated.experts[index];
    if (batch.context().routing.weights != TableWeights::kGate) continue;
    weigh_by_gate(std::span(std::as_const(plan.experts)).subspan(row * plan.k, plan.k),
                  std::span(std::as_const(gated.probabilities)).subspan(index * experts, experts), gated.experts[index],
                  std::span(plan.weights).subspan(row * plan.k, plan.k));
  }
}

}  // namespace

void drop_over_capacity(std::span<std::int32_t> experts, std::size_t k, std::span<const std::int64_t> rows_per_sequence,
                        std::int64_t num_experts, std::int64_t capacity) {
  if (capacity <= 0) return;
  std::size_t row = 0;
  for (const std::int64_t rows : rows_per_sequence) {
    std::vector<std::int64_t> used(static_cast<std::size_t>(num_experts), 0);
    for (std::int64_t index = 0; index < rows; ++index, ++row) {
      if (++used[static_cast<std::size_t>(experts[row * k])] <= capacity) continue;
      std::ranges::fill(experts.subspan(row * k, k), -1);
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
  LayerRouting layer{.layer = weights.layer, .began = steady_now()};
  layer.gate.assign(static_cast<std::size_t>(batch.rows()), -1);
  const bool by_token = !weights.token_experts.empty();
  LayerPlan routes = by_token ? plan_by_token(batch, weights) : plan(batch, weights.layer);
  if (by_token) layer.gate = routes.experts;
  if (by_token && context.record_gates) {
    layer.gates = record_certain(routes.experts, static_cast<std::size_t>(config.num_experts));
  }
  ask_gate(batch, weights, routes, layer);
  layer.served = routes.experts;
  drop_over_capacity(layer.served, routes.k, batch.rows_per_sequence(), config.num_experts, config.expert_capacity);

  const auto k = static_cast<std::int32_t>(routes.k);
  const at::Tensor expert_rows = empty_rows(batch.rows() * k, config.d_model, context.weights.dtype());
  ExpertCall call{.step = context.step,
                  .layer = weights.layer,
                  .rows = batch.normed(),
                  .k = k,
                  .experts = layer.served,
                  .out = rows_of(expert_rows),
                  .deadline = context.deadline,
                  .served_by = {},
                  .result = {},
                  .waiting = {}};
  context.experts.start(call);
  ask_gate_meanwhile(batch, weights, routes, layer);
  auto answered = co_await answer_of(call);
  if (!answered) co_return tl::unexpected(std::move(answered).error());
  batch.add_experts(rows_of(expert_rows), routes.k, layer.served, routes.weights);
  layer.k = routes.k;
  layer.by_table = std::move(routes.by_table);
  layer.weights = std::move(routes.weights);
  layer.served_by = std::move(call.served_by);
  routing.push_back(std::move(layer));
  co_return Result<void>();
}

}  // namespace sida::router

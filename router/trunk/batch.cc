#include "router/trunk/batch.h"

#include <ATen/Context.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <utility>

#include "router/trunk/tensor_rows.h"

namespace sida::router {
namespace {

// A row copy and a widening: both exact, so the rows do not influence one another.
at::Tensor embed(const at::Tensor& table, const std::vector<std::int32_t>& tokens) {
  at::Tensor ids = at::empty({static_cast<std::int64_t>(tokens.size())}, at::TensorOptions().dtype(at::kInt));
  std::copy(tokens.begin(), tokens.end(), static_cast<std::int32_t*>(ids.data_ptr()));
  return at::embedding(table, ids).to(at::kFloat).contiguous();
}

void add_row(float* sum, const float* row, std::int64_t columns, float weight) {
  for (std::int64_t column = 0; column < columns; ++column) sum[column] += weight * row[column];
}

void add_row(float* sum, const BFloat16* row, std::int64_t columns, float weight) {
  for (std::int64_t column = 0; column < columns; ++column) sum[column] += weight * to_float(row[column]);
}

void add_row(float* sum, ConstRows rows, std::size_t row, float weight) {
  const std::int64_t first = static_cast<std::int64_t>(row) * rows.columns;
  if (rows.dtype == DType::kBFloat16) {
    add_row(sum, rows.bf16() + first, rows.columns, weight);
  } else {
    add_row(sum, rows.f32() + first, rows.columns, weight);
  }
}

}  // namespace

Batch::Batch(const ForwardContext& context, const StackWeights& stack, std::vector<BatchSequence> sequences,
             std::vector<std::int32_t> tokens)
    : context_(context),
      sequences_(std::move(sequences)),
      rows_(static_cast<std::int64_t>(tokens.size())),
      tokens_(std::move(tokens)) {
  const auto& config = context.weights.config();
  const std::int64_t inner = config.num_heads * config.d_kv;
  const DType dtype = context.weights.dtype();
  hidden_ = embed(stack.embedding, tokens_);
  normed_ = empty_rows(rows_, config.d_model, dtype);
  query_ = empty_rows(rows_, inner, dtype);
  key_ = empty_rows(rows_, inner, dtype);
  value_ = empty_rows(rows_, inner, dtype);
  mixed_ = empty_rows(rows_, inner, dtype);
  delta_ = empty_rows(rows_, config.d_model, DType::kFloat32);
}

Rows Batch::hidden() const {
  return rows_of(hidden_);
}
Rows Batch::normed() const {
  return rows_of(normed_);
}
Rows Batch::query() const {
  return rows_of(query_);
}
Rows Batch::key() const {
  return rows_of(key_);
}
Rows Batch::value() const {
  return rows_of(value_);
}
Rows Batch::mixed() const {
  return rows_of(mixed_);
}

std::vector<std::int64_t> Batch::rows_per_sequence() const {
  std::vector<std::int64_t> counts;
  counts.reserve(sequences_.size());
  for (const auto& sequence : sequences_) counts.push_back(sequence.rows);
  return counts;
}

void Batch::norm(const std::vector<float>& weight) {
  context_.backend.rms_norm(hidden(), weight.data(), context_.weights.config().layer_norm_epsilon, normed());
}

void Batch::add_projection(const PackedMatrix& output_weight) {
  context_.backend.linear(mixed(), output_weight, rows_of(delta_));
  add_row(hidden().f32(), rows_of(delta_).f32(), delta_.numel(), 1.0F);
}

void Batch::add_dense(const PackedFfn& weights) {
  context_.backend.ffn(normed(), weights, rows_of(delta_));
  add_row(hidden().f32(), rows_of(delta_).f32(), delta_.numel(), 1.0F);
}

void Batch::add_experts(ConstRows expert_rows, std::size_t k, const std::vector<std::int32_t>& experts,
                        const std::vector<float>& weights) {
  const Rows sum = hidden();
  std::vector<float> several(static_cast<std::size_t>(sum.columns));
  std::vector<std::size_t> terms;
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows_); ++row) {
    terms.clear();
    for (std::size_t slot = row * k; slot < (row + 1) * k; ++slot) {
      if (experts[slot] >= 0 && weights[slot] != 0) terms.push_back(slot);
    }
    float* target = sum.f32() + static_cast<std::int64_t>(row) * sum.columns;
    if (terms.size() == 1) {
      add_row(target, expert_rows, terms.front(), weights[terms.front()]);
    } else if (!terms.empty()) {
      std::ranges::fill(several, 0.0F);
      for (const std::size_t slot : terms) add_row(several.data(), expert_rows, slot, weights[slot]);
      add_row(target, several.data(), sum.columns, 1.0F);
    }
  }
}

}  // namespace sida::router

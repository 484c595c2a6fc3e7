// The rows of one forward call: several sequences, one after another, without padding.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "router/trunk/forward.h"

namespace sida::router {

struct BatchSequence {
  SequenceState* state = nullptr;
  std::int64_t first_row = 0;
  std::int64_t rows = 0;
  std::int64_t first_position = 0;  // Of its first row in the sequence.
};

// Buffers are made once and reused by every block.
class Batch {
 public:
  // The residual stream starts as the embeddings of `tokens`.
  Batch(const ForwardContext& context, const StackWeights& stack, std::vector<BatchSequence> sequences,
        std::vector<std::int32_t> tokens);

  [[nodiscard]] const std::vector<BatchSequence>& sequences() const { return sequences_; }
  [[nodiscard]] std::int64_t rows() const { return rows_; }
  [[nodiscard]] const std::vector<std::int32_t>& tokens() const { return tokens_; }  // Of each row.
  [[nodiscard]] Rows hidden() const;  // The residual stream, fp32 [rows, d_model].
  [[nodiscard]] std::vector<std::int64_t> rows_per_sequence() const;

  // normed() = norm(hidden), compute dtype.
  void norm(const std::vector<float>& weight);
  [[nodiscard]] Rows normed() const;
  [[nodiscard]] Rows query() const;  // As key and value: [rows, heads * d_kv], compute dtype.
  [[nodiscard]] Rows key() const;
  [[nodiscard]] Rows value() const;
  [[nodiscard]] Rows mixed() const;  // Attention's output before its projection; as query.

  // hidden += output_weight mixed.
  void add_projection(const PackedMatrix& output_weight);
  // hidden += dense feed-forward of normed.
  void add_dense(const PackedFfn& weights);
  // hidden[i] += the sum over ranks r of weights[i, r] * expert_rows[i, r] where experts[i, r] >= 0. All are
  // [rows, k]. A single product is added at once, as a top-1 model does; several are summed in rank order first.
  void add_experts(ConstRows expert_rows, std::size_t k, const std::vector<std::int32_t>& experts,
                   const std::vector<float>& weights);

  [[nodiscard]] const ForwardContext& context() const { return context_; }

 private:
  const ForwardContext& context_;
  std::vector<BatchSequence> sequences_;
  std::int64_t rows_ = 0;
  std::vector<std::int32_t> tokens_;
  at::Tensor hidden_;
  at::Tensor normed_;
  at::Tensor query_;
  at::Tensor key_;
  at::Tensor value_;
  at::Tensor mixed_;
  at::Tensor delta_;  // fp32 [rows, d_model], what a sub-layer adds.
};

// The feed-forward sub-layer of a block: dense at once, sparse through the experts. Adds to the residual stream and,
// when sparse, appends to `routing`.
Task<Result<void>> feed_forward(Batch& batch, const FeedForwardWeights& weights, std::vector<LayerRouting>& routing);

}  // namespace sida::router

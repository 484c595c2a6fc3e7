// The forward pass of encoder and decoder over ragged rows of several sequences, as coroutines that suspend only at
// answer_of(). Semantics: Hugging Face Transformers 4.57.1, modeling_switch_transformers.py.
//
// Row-invariant throughout: linear layers through the backend, attention per sequence, and from ATen only memory and
// row copies. So a sequence's bits do not depend on what else is in the batch.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "common/compute/backend.h"
#include "common/model/model_directory.h"
#include "router/routing/routing_options.h"
#include "router/trunk/experts.h"
#include "router/trunk/layer_routing.h"
#include "router/trunk/sequence_state.h"
#include "router/trunk/task.h"
#include "router/trunk/trunk_weights.h"

namespace sida::router {

// Sees intermediate values, for golden tests. Views are valid during the call.
class ForwardObserver {
 public:
  virtual ~ForwardObserver() = default;
  virtual void hidden(model::Stack stack, std::int64_t block, ConstRows rows) = 0;  // Block -1: embeddings; fp32.
  virtual void output(model::Stack stack, ConstRows rows) = 0;                      // After the final norm.
  virtual void gate(LayerId layer, std::span<const float> probabilities) = 0;       // [rows asked * experts]
};

// What a pass needs besides its sequences. References outlive the pass.
struct ForwardContext {
  const TrunkWeights& weights;
  compute::Backend& backend;
  Experts& experts;
  StepId step;
  TimePoint deadline = TimePoint::max();
  ForwardObserver* observer = nullptr;
  RoutingOptions routing = {};
  bool record_gates = false;
};

struct EncodeOutput {
  std::vector<LayerRouting> routing;  // Encoder's MoE layers, rows of all sequences one after another.
};

// Runs the encoder over each sequence's source and fills its cross-attention caches, or its logits if it is classified.
Task<Result<EncodeOutput>> encode(const ForwardContext& context, std::span<SequenceState* const> sequences);

struct DecodeOutput {
  at::Tensor hidden;                  // [rows, d_model], ready for logits().
  std::vector<LayerRouting> routing;  // Decoder's MoE layers.
};

// Runs the decoder over each sequence's tokens that are not cached yet (at least one each) and extends the caches.
Task<Result<DecodeOutput>> decode(const ForwardContext& context, std::span<SequenceState* const> sequences);

// Scores of the vocabulary: fp32 [count, vocab] for rows [first, first + count) of DecodeOutput::hidden.
at::Tensor logits(const ForwardContext& context, const at::Tensor& hidden, std::int64_t first, std::int64_t count);

// Marks with -1 the rows beyond an expert's capacity, counted in token order within each sequence. 0: unlimited. Of
// several experts of a row the best counts, and the row goes with all of them. `experts`: [rows, k].
void drop_over_capacity(std::span<std::int32_t> experts, std::size_t k, std::span<const std::int64_t> rows_per_sequence,
                        std::int64_t num_experts, std::int64_t capacity);

}  // namespace sida::router

// Sequences of a trace as LibTorch tensors, padded to a common length.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "common/trace/traced_sequence.h"

namespace sida::predictor {

// B sequences, S tokens in the longest, L MoE layers, the teacher's `top` likeliest experts. One stack.
struct BatchSide {
  at::Tensor tokens;             // [B, S] int64; 0 where there is none.
  at::Tensor real;               // [B, S] bool: not padding.
  at::Tensor gate;               // [N, L] int64 over the N real tokens: the gate's choice.
  at::Tensor top_experts;        // [N, L, top] int64
  at::Tensor log_probabilities;  // [N, L, top] fp32
  [[nodiscard]] std::int64_t count() const { return gate.size(0); }
};

struct Batch {
  BatchSide source;
  BatchSide target;  // tokens: what the decoder reads.
};

Batch make_batch(const trace::TraceHeader& header, std::span<const trace::TracedSequence> sequences);

}  // namespace sida::predictor

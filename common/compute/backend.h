// The compute seam of trunk and expert-worker: the few operations of the model over ragged rows.
//
// What every implementation promises, and tests/conformance/compute checks:
//   * Same row in, same bits out: a row's result never depends on the other rows in the call, nor on the thread count.
//   * All kernels with the same numerics id give the same bits.
// The CPU implementation is the specification of the others.
//
// Activations: fp32, or in a bf16 model bf16 where a linear layer reads them (the residual stream stays fp32,
// docs/decisions/0002-residual-in-fp32.md). Accumulation is fp32. Sizes are the caller's promise (SIDA_CHECK).
// Thread: any one thread at a time per Backend; calls block until the result is written.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/tensor/packed_matrix.h"
#include "common/tensor/rows.h"

namespace sida::compute {

struct Capabilities {
  std::string device;           // "cpu", "cuda".
  std::string kernel;           // "avx512bf16", "avx512", "avx2", "scalar"; "sm90".
  std::uint64_t numerics_id{};  // Backends with equal ids give equal bits.
  int threads = 1;
};

// Source of the bucket thresholds: T5, Raffel et al. 2020; 32 buckets, distances up to 128.
enum class Direction { kBidirectional, kCausal };

// One sequence's attention. Query row i stands at position first_position + i, key row j at position j.
// scores = q k^T (no 1/sqrt(d)) + bias; softmax over keys in fp32; out = weights times v.
struct Attention {
  ConstRows query;                                  // [queries, heads * head_dim], fp32 or bf16.
  ConstRows key;                                    // [keys, heads * head_dim], same dtype.
  ConstRows value;                                  // [keys, heads * head_dim], same dtype.
  const float* position_bias = nullptr;             // [32 buckets, heads] fp32, or null for cross-attention.
  Direction direction = Direction::kBidirectional;  // kCausal masks keys after the query.
  std::int64_t first_position = 0;
  std::int64_t heads = 0;
  Rows out;  // [queries, heads * head_dim], dtype of the next linear layer's input.
};

// Top-1 gate. probabilities = softmax(W x + b) in fp32; then rounded to `round_to` before the argmax (lowest index wins
// a tie) and for the weight, as Hugging Face does: switch.py casts router probabilities to the model's dtype first.
struct Gate {
  ConstRows x;                         // [rows, d_model], fp32 or bf16; widened to fp32.
  PackedMatrix classifier;             // [experts, d_model], fp32.
  std::span<const float> bias;         // [experts], or empty.
  DType round_to = DType::kFloat32;    // The model's dtype.
  std::span<float> probabilities;      // [rows * experts], fp32, before rounding.
  std::span<std::int32_t> expert_ids;  // [rows]
  std::span<float> weights;            // [rows], probability of the chosen expert, rounded.
};

class Backend {
 public:
  virtual ~Backend() = default;
  [[nodiscard]] virtual Capabilities capabilities() const = 0;

  // y = W x. x has W's dtype ([rows, inputs]); y is fp32, or bf16 (rounded once at the end), [rows, outputs].
  virtual void linear(ConstRows x, const PackedMatrix& weight, Rows y) = 0;

  // y = x / sqrt(mean(x^2) + epsilon) * weight. x fp32 [rows, d]; weight fp32 [d]; y fp32 or bf16.
  virtual void rms_norm(ConstRows x, const float* weight, float epsilon, Rows y) = 0;

  virtual void attention(std::span<const Attention> sequences) = 0;
  virtual void gate(const Gate& gate) = 0;

  // y = wo(relu(wi(x))). The inner activation has the weights' dtype. y is fp32 or bf16, [rows, d_model].
  virtual void ffn(ConstRows x, const PackedFfn& weights, Rows y) = 0;
};

struct CpuOptions {
  std::string kernel = "auto";  // auto: the best this processor has; or avx512bf16, avx512, avx2, scalar.
  int threads = 1;              // Split over output columns, never over inputs.
};

// Fails with kInvalidArgument on an unknown kernel or one that this processor lacks, naming those it has.
Result<std::unique_ptr<Backend>> make_cpu_backend(const CpuOptions& options);

// Kernels usable on this processor, best first; "scalar" is always last.
std::vector<std::string> cpu_kernels();

}  // namespace sida::compute

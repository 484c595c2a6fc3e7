// The dense part of a Switch Transformers model, packed for the kernels: everything but the experts. With it, the heads
// for sequence classification that lie beside the model.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/model/model_directory.h"
#include "common/tensor/packed_matrix.h"
#include "common/tensor/weight_memory.h"

namespace sida::router {

struct AttentionWeights {
  std::vector<float> norm;  // [d_model]
  PackedMatrix query;       // [heads * d_kv, d_model], as key and value
  PackedMatrix key;
  PackedMatrix value;
  PackedMatrix output;  // [d_model, heads * d_kv]
};

struct FeedForwardWeights {
  std::vector<float> norm;         // [d_model]
  PackedFfn dense;                 // Of a dense block.
  LayerId layer{-1};               // Of a sparse block; -1 when dense.
  PackedMatrix classifier;         // Sparse: [experts, d_model], fp32.
  std::vector<float> router_bias;  // Sparse: [experts], or empty.
  // Sparse with hash routing: [vocab_size], each token id's expert, and no classifier. Else empty.
  std::vector<std::int16_t> token_experts;
  [[nodiscard]] bool sparse() const { return layer.value >= 0; }
};

struct BlockWeights {
  AttentionWeights self_attention;
  std::optional<AttentionWeights> cross_attention;  // Decoder only.
  FeedForwardWeights feed_forward;
};

struct StackWeights {
  std::vector<BlockWeights> blocks;
  std::vector<float> final_norm;     // [d_model]
  std::vector<float> position_bias;  // [32 buckets, heads], shared by the stack's blocks.
  at::Tensor embedding;              // [vocab, d_model], dtype of the checkpoint.
};

// model/classification_head.h, packed for the kernels.
struct HeadWeights {
  std::string name;
  std::vector<std::string> labels;
  PackedMatrix dense;             // [d_model, d_model], fp32.
  std::vector<float> dense_bias;  // [d_model]
  PackedMatrix out;               // [labels, d_model], fp32.
  std::vector<float> out_bias;    // [labels]
};

struct TrunkOptions {
  DType dtype = DType::kFloat32;     // Of matrices and activations: kFloat32 or kBFloat16.
  std::int64_t expert_capacity = 0;  // Tokens of one sequence per expert and forward call; 0: unlimited.
};

// Immutable after load. Owns its memory; counted by bytes().
class TrunkWeights {
 public:
  // Reads from disk; blocks. kInvalidModel or kIo.
  static Result<TrunkWeights> load(const model::ModelDirectory& model, const TrunkOptions& options);

  [[nodiscard]] const model::ModelConfig& config() const { return config_; }
  [[nodiscard]] DType dtype() const { return dtype_; }
  [[nodiscard]] const StackWeights& encoder() const { return encoder_; }
  [[nodiscard]] const StackWeights& decoder() const { return decoder_; }
  [[nodiscard]] const PackedMatrix& lm_head() const { return lm_head_; }          // [vocab, d_model]
  [[nodiscard]] const std::vector<HeadWeights>& heads() const { return heads_; }  // By name.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  friend class TrunkLoader;
  TrunkWeights() = default;
  model::ModelConfig config_;
  DType dtype_ = DType::kFloat32;
  StackWeights encoder_;
  StackWeights decoder_;
  PackedMatrix lm_head_;
  std::vector<HeadWeights> heads_;
  WeightMemory memory_;  // Of the packed matrices.
  std::size_t bytes_ = 0;
};

}  // namespace sida::router

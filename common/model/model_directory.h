// A model directory, read and checked: configuration, geometry, weights by role. What router, predictor and worker
// share.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/model/weight_files.h"

namespace sida::model {

enum class Stack { kEncoder, kDecoder };

// From config.json, corrected by the tensors where they disagree (each correction is one line in `warnings`).
struct ModelConfig {
  std::int64_t vocab_size = 0;
  std::int64_t d_model = 0;
  std::int64_t d_kv = 0;
  std::int64_t d_ff = 0;
  std::int64_t num_heads = 0;
  std::int64_t num_experts = 0;
  std::int64_t expert_capacity = 64;  // Per sequence and forward call; 0: unlimited (--expert-capacity none).
  float layer_norm_epsilon = 1e-6F;
  bool tie_word_embeddings = true;
  bool router_bias = false;
  std::int32_t pad_token_id = 0;
  std::vector<std::int32_t> eos_token_ids{1};
  std::int32_t decoder_start_token_id = 0;
  DType dtype = DType::kFloat32;  // Of the stored weights.
};

// One block of a stack. Sparsity is decided by tensor names, not by the config.
struct Block {
  bool sparse = false;
  LayerId layer{-1};  // MoE layer in order of use (encoder's first); -1 when dense.
};

struct ModelGeometry {
  std::vector<Block> encoder;
  std::vector<Block> decoder;
  std::int32_t encoder_moe_layers = 0;
  std::int32_t decoder_moe_layers = 0;
  [[nodiscard]] std::int32_t moe_layers() const { return encoder_moe_layers + decoder_moe_layers; }
};

// 32 bytes of BLAKE2b over configuration, tensor names and shapes, and the bytes of the embedding and the gates.
// Computed over values, so conversion between file formats of one dtype keeps it.
using Fingerprint = std::array<std::uint8_t, 32>;
std::string to_hex(const Fingerprint& fingerprint);

struct ExpertTensors {
  const TensorInfo* wi = nullptr;  // [d_ff, d_model]
  const TensorInfo* wo = nullptr;  // [d_model, d_ff]
};

// Immutable after open; any thread. Every tensor that the geometry needs exists with the right shape and dtype.
class ModelDirectory {
 public:
  // Errors: kNotFound (no such directory), kInvalidModel (named file and tensor).
  static Result<ModelDirectory> open(const std::filesystem::path& path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const ModelConfig& config() const { return config_; }
  [[nodiscard]] const ModelGeometry& geometry() const { return geometry_; }
  [[nodiscard]] const Fingerprint& fingerprint() const { return fingerprint_; }
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }
  [[nodiscard]] const WeightFiles& weights() const { return weights_; }

  // By full name, aliases resolved (embed_tokens before shared when untied; lm_head to the shared table when tied).
  [[nodiscard]] const TensorInfo& tensor(std::string_view name) const;  // SIDA_CHECKs that it exists.
  [[nodiscard]] const TensorInfo& embedding(Stack stack) const;
  [[nodiscard]] const TensorInfo& lm_head() const;
  [[nodiscard]] ExpertTensors expert(ExpertKey key) const;
  // "encoder.block.3.layer.1.mlp." of a MoE layer.
  [[nodiscard]] std::string mlp_prefix(LayerId layer) const;

 private:
  std::filesystem::path path_;
  ModelConfig config_;
  ModelGeometry geometry_;
  Fingerprint fingerprint_{};
  std::vector<std::string> warnings_;
  WeightFiles weights_;
};

}  // namespace sida::model

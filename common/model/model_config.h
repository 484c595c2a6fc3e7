// config.json and generation_config.json of a Switch Transformers model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/tensor/dtype.h"

namespace sida::model {

// From config.json, corrected by the tensors where they disagree (each correction is one line in the model's warnings).
struct ModelConfig {
  std::int64_t vocab_size = 0;  // Rows of the embedding, padding rows included.
  std::int64_t d_model = 0;
  std::int64_t d_kv = 0;  // Per head.
  std::int64_t d_ff = 0;
  std::int64_t num_heads = 0;
  std::int64_t num_experts = 0;       // Per MoE layer.
  std::int64_t num_buckets = 32;      // Rows of the relative position bias.
  std::int64_t max_distance = 128;    // Tokens, from which on all distances share a bucket.
  std::int64_t expert_capacity = 64;  // Per sequence and forward call; 0: unlimited (--expert-capacity none).
  float layer_norm_epsilon = 1e-6F;
  bool tie_word_embeddings = true;
  bool router_bias = false;
  bool hash_routing = false;  // A table by token id stands where others have a gate.
  std::int32_t pad_token_id = 0;
  std::vector<std::int32_t> eos_token_ids{1};
  std::int32_t decoder_start_token_id = 0;
  DType dtype = DType::kFloat32;  // Of the stored weights.
};

// What config.json says beside what ModelConfig keeps: to be checked against the tensors.
struct DeclaredModel {
  ModelConfig config;
  std::int64_t num_layers = 0;  // Blocks of the encoder.
  std::int64_t num_decoder_layers = 0;
  std::int64_t encoder_sparse_step = 0;  // Block i is sparse iff step == 1, or step > 0 and i % step == 1.
  std::int64_t decoder_sparse_step = 0;
  bool encoder_only = false;
  std::optional<DType> dtype;  // `dtype` or `torch_dtype`.
};

// `generation_json` is empty where there is no generation_config.json. Its token ids come before those of config.json;
// decoder_start_token_id defaults to the pad id, which switch-base-128 needs.
// Defaults are those of Hugging Face's SwitchTransformersConfig. Errors: kInvalidModel, the key named: out of bounds,
// of the wrong type, or a variant that is not served (gated experts, another activation, another model type).
[[nodiscard]] Result<DeclaredModel> parse_model_config(std::string_view config_json, std::string_view generation_json);

// The same from a directory. Errors also: kNotFound (no config.json), kIo.
[[nodiscard]] Result<DeclaredModel> read_model_config(const std::filesystem::path& directory);

}  // namespace sida::model

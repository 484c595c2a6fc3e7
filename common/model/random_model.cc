#include "common/model/random_model.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>

#include "common/model/output_file.h"
#include "common/model/random_weights.h"

namespace sida::model {

namespace {

const char* torch_name(DType dtype) {
  if (dtype == DType::kBFloat16) return "bfloat16";
  return dtype == DType::kFloat16 ? "float16" : "float32";
}

std::int64_t sparse_count(std::int64_t layers, std::int64_t step) {
  const auto sparse = sparse_blocks(layers, step);
  return std::count(sparse.begin(), sparse.end(), true);
}

// The keys of the released files.
std::string config_json(const Blueprint& blueprint) {
  const ModelConfig& config = blueprint.config;
  nlohmann::ordered_json json{
      {"architectures", {"SwitchTransformersForConditionalGeneration"}},
      {"model_type", "switch_transformers"},
      {"is_encoder_decoder", true},
      {"vocab_size", config.vocab_size},
      {"d_model", config.d_model},
      {"d_kv", config.d_kv},
      {"d_ff", config.d_ff},
      {"num_heads", config.num_heads},
      {"num_layers", blueprint.encoder_layers},
      {"num_decoder_layers", blueprint.decoder_layers},
      {"num_sparse_encoder_layers", sparse_count(blueprint.encoder_layers, blueprint.encoder_sparse_step)},
      {"num_sparse_decoder_layers", sparse_count(blueprint.decoder_layers, blueprint.decoder_sparse_step)},
      {"encoder_sparse_step", blueprint.encoder_sparse_step},
      {"decoder_sparse_step", blueprint.decoder_sparse_step},
      {"num_experts", config.num_experts},
      {"expert_capacity", config.expert_capacity},
      {"router_bias", config.router_bias},
      {"router_dtype", "float32"},
      {"router_jitter_noise", blueprint.router_jitter_noise},
      {"router_ignore_padding_tokens", false},
      {"router_aux_loss_coef", 0.001},
      {"router_z_loss_coef", 0.001},
      {"add_router_probs", false},
      {"feed_forward_proj", "relu"},
      {"dense_act_fn", "relu"},
      {"is_gated_act", false},
      {"dropout_rate", 0.1},
      {"initializer_factor", 1.0},
      {"layer_norm_epsilon", static_cast<double>(config.layer_norm_epsilon)},
      {"relative_attention_num_buckets", config.num_buckets},
      {"relative_attention_max_distance", config.max_distance},
      {"tie_word_embeddings", config.tie_word_embeddings},
      {"pad_token_id", config.pad_token_id},
      {"eos_token_id", config.eos_token_ids.front()},
      {"decoder_start_token_id", config.decoder_start_token_id},
      {"torch_dtype", torch_name(config.dtype)},
      {"use_cache", true},
  };
  if (config.hash_routing) json["hash_routing"] = true;
  return json.dump(2) + "\n";
}

std::string generation_config_json(const ModelConfig& config) {
  const nlohmann::ordered_json json{{"_from_model_config", true},
                                    {"decoder_start_token_id", config.decoder_start_token_id},
                                    {"eos_token_id", config.eos_token_ids},
                                    {"pad_token_id", config.pad_token_id}};
  return json.dump(2) + "\n";
}

// The routing tables are the hash function.
Result<void> write_predictor(const std::filesystem::path& directory) {
  std::error_code failed;
  std::filesystem::create_directory(directory / "predictor", failed);
  if (failed) return fail(ErrorCode::kIo, directory.string() + ": " + failed.message());
  return write_text_file(directory / "predictor" / "predictor.json", "{\n  \"kind\": \"predefined\",\n  \"k\": 1\n}\n");
}

}  // namespace

ModelGeometry geometry_of(const Blueprint& blueprint) {
  return make_geometry(sparse_blocks(blueprint.encoder_layers, blueprint.encoder_sparse_step),
                       sparse_blocks(blueprint.decoder_layers, blueprint.decoder_sparse_step));
}

std::vector<TensorToWrite> random_tensors(const Blueprint& blueprint) {
  const ModelGeometry geometry = geometry_of(blueprint);
  std::vector<TensorToWrite> tensors;
  const auto added = visit_required_tensors(blueprint.config, geometry, [&](RequiredTensor tensor) -> Result<void> {
    tensors.push_back({.name = std::move(tensor.name),
                       .dtype = tensor.integers ? DType::kInt16 : blueprint.config.dtype,
                       .shape = std::move(tensor.shape),
                       .aliases = {}});
    return {};
  });
  SIDA_CHECK(added.has_value());
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return tensors;
}

void fill_random(std::uint64_t seed, const ModelConfig& config, std::string_view name, DType dtype, std::uint64_t first,
                 std::span<std::byte> destination) {
  if (dtype == DType::kInt16) {
    random_choices(seed, name, config.num_experts, first, destination);
  } else {
    random_values(seed, name, weight_scale(name, config), first, dtype, destination);
  }
}

Result<void> write_random_description(const std::filesystem::path& directory, const Blueprint& blueprint) {
  SIDA_TRY(write_text_file(directory / "config.json", config_json(blueprint)));
  SIDA_TRY(write_text_file(directory / "generation_config.json", generation_config_json(blueprint.config)));
  if (!blueprint.config.hash_routing) return {};
  return write_predictor(directory);
}

}  // namespace sida::model

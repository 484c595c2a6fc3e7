#include "common/model/make_model.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "common/model/geometry.h"
#include "common/model/output_file.h"
#include "common/model/random_weights.h"
#include "common/model/safetensors_writer.h"
#include "common/model/shard_plan.h"
#include "common/model/torch_checkpoint_writer.h"

namespace sida::model {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = 1U << 20U;
constexpr std::uint64_t kBytesBesideWeights = 64U << 20U;  // Headers, index and file system: generous.

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

std::vector<TensorToWrite> tensors_of(const Blueprint& blueprint) {
  const ModelGeometry geometry = make_geometry(sparse_blocks(blueprint.encoder_layers, blueprint.encoder_sparse_step),
                                               sparse_blocks(blueprint.decoder_layers, blueprint.decoder_sparse_step));
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

std::uint64_t total_bytes(const std::vector<TensorToWrite>& tensors) {
  std::uint64_t total = 0;
  for (const TensorToWrite& tensor : tensors) total += tensor.bytes();
  return total;
}

void add_aliases(std::vector<TensorToWrite>& tensors) {
  for (TensorToWrite& tensor : tensors) {
    if (tensor.name != kSharedName) continue;
    tensor.aliases = {std::string(kEncoderEmbeddingName), std::string(kDecoderEmbeddingName), std::string(kLmHeadName)};
  }
}

Result<void> write_text(const fs::path& path, const std::string& text) {
  auto file = OutputFile::create(path);
  if (!file) return tl::unexpected(std::move(file).error());
  SIDA_TRY(file->append(text));
  return file->finish();
}

std::string gigabytes(std::uint64_t bytes) {
  const std::uint64_t tenths = bytes / 100'000'000;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " GB";
}

Result<void> check_space(const fs::path& folder, std::uint64_t bytes) {
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  if (error) return fail(ErrorCode::kIo, folder.string() + ": " + error.message());
  if (space.available >= bytes + kBytesBesideWeights) return {};
  return fail(ErrorCode::kIo, folder.string() + ": the model needs " + gigabytes(bytes + kBytesBesideWeights) + ", " +
                                  gigabytes(space.available) + " are free");
}

// Removes what was begun unless it was finished.
class PartialDirectory {
 public:
  explicit PartialDirectory(fs::path path) : path_(std::move(path)) {}
  PartialDirectory(const PartialDirectory&) = delete;
  PartialDirectory& operator=(const PartialDirectory&) = delete;
  ~PartialDirectory() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }

  [[nodiscard]] const fs::path& path() const { return path_; }

  Result<void> rename_to(const fs::path& destination) {
    std::error_code error;
    fs::rename(path_, destination, error);
    if (error) return fail(ErrorCode::kIo, destination.string() + ": cannot rename: " + error.message());
    path_.clear();
    return {};
  }

 private:
  fs::path path_;
};

class ModelMaker {
 public:
  ModelMaker(const Blueprint& blueprint, const MakeModelOptions& options, const MakeModelProgress& progress)
      : blueprint_(blueprint),
        options_(options),
        progress_(progress),
        tensors_(tensors_of(blueprint)),
        bytes_total_(total_bytes(tensors_)) {}

  [[nodiscard]] std::uint64_t bytes_total() const { return bytes_total_; }

  Result<void> write(const fs::path& directory) {
    SIDA_TRY(write_text(directory / "config.json", config_json(blueprint_)));
    SIDA_TRY(write_text(directory / "generation_config.json", generation_config_json(blueprint_.config)));
    if (blueprint_.config.hash_routing) SIDA_TRY(write_predictor(directory));
    const bool safetensors = options_.format == WeightFormat::kSafetensors;
    const std::string stem = safetensors ? "model" : "pytorch_model";
    const std::string extension = safetensors ? ".safetensors" : ".bin";
    if (!safetensors) add_aliases(tensors_);
    const auto shards = plan_shards(std::move(tensors_), options_.shard_bytes_max, stem, extension);
    for (const Shard& shard : shards) SIDA_TRY(write_shard(directory, shard));
    if (shards.size() == 1) return {};
    return write_text(directory / (stem + extension + ".index.json"), shard_index_json(shards));
  }

 private:
  // The routing tables are the hash function.
  static Result<void> write_predictor(const fs::path& directory) {
    std::error_code failed;
    fs::create_directory(directory / "predictor", failed);
    if (failed) return fail(ErrorCode::kIo, directory.string() + ": " + failed.message());
    return write_text(directory / "predictor" / "predictor.json", "{\n  \"kind\": \"predefined\",\n  \"k\": 1\n}\n");
  }

  Result<void> write_shard(const fs::path& directory, const Shard& shard) {
    auto writer = options_.format == WeightFormat::kSafetensors
                      ? create_safetensors(directory / shard.file, shard.tensors)
                      : create_torch_checkpoint(directory / shard.file, shard.tensors);
    if (!writer) return tl::unexpected(std::move(writer).error());
    for (const TensorToWrite& tensor : shard.tensors) SIDA_TRY(write_tensor(tensor, **writer));
    return (*writer)->finish();
  }

  Result<void> write_tensor(const TensorToWrite& tensor, TensorFileWriter& writer) {
    const WeightScale scale = weight_scale(tensor.name, blueprint_.config);
    const std::uint64_t bytes = tensor.bytes();
    for (std::uint64_t done = 0; done < bytes; done += kPieceBytes) {
      const auto piece = std::span(buffer_).first(std::min<std::uint64_t>(kPieceBytes, bytes - done));
      const std::uint64_t first = done / bytes_per_element(tensor.dtype);
      if (tensor.dtype == DType::kInt16) {
        random_choices(options_.seed, tensor.name, blueprint_.config.num_experts, first, piece);
      } else {
        random_values(options_.seed, tensor.name, scale, first, tensor.dtype, piece);
      }
      SIDA_TRY(writer.append(piece));
      bytes_done_ += piece.size();
      if (progress_ && !progress_(bytes_done_, bytes_total_)) {
        return fail(ErrorCode::kCancelled, "stopped while writing the model");
      }
    }
    return {};
  }

  const Blueprint& blueprint_;
  const MakeModelOptions& options_;
  const MakeModelProgress& progress_;
  std::vector<TensorToWrite> tensors_;
  std::uint64_t bytes_total_;
  std::uint64_t bytes_done_ = 0;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(kPieceBytes);
};

}  // namespace

std::uint64_t weight_bytes(const Blueprint& blueprint) {
  return total_bytes(tensors_of(blueprint));
}

Result<void> make_model(const std::filesystem::path& destination, const Blueprint& blueprint,
                        const MakeModelOptions& options, const MakeModelProgress& progress) {
  fs::path target = fs::absolute(destination).lexically_normal();
  if (!target.has_filename()) target = target.parent_path();  // Of "folder/".
  const fs::path folder = target.parent_path();
  std::error_code error;
  if (blueprint.config.hash_routing && options.format != WeightFormat::kSafetensors) {
    return fail(ErrorCode::kInvalidArgument, "hash routing is a table of integers, which only safetensors hold");
  }
  if (fs::exists(target, error)) {
    return fail(ErrorCode::kInvalidArgument,
                destination.string() + ": exists already; remove it or name another place");
  }
  fs::create_directories(folder, error);
  if (error) return fail(ErrorCode::kIo, folder.string() + ": cannot create: " + error.message());
  ModelMaker maker(blueprint, options, progress);
  SIDA_TRY(check_space(folder, maker.bytes_total()));
  const fs::path partial = target.string() + ".partial";
  if (!fs::create_directory(partial, error)) {
    if (error) return fail(ErrorCode::kIo, partial.string() + ": cannot create: " + error.message());
    return fail(
        ErrorCode::kInvalidArgument,
        partial.string() + ": exists already, left by an interrupted run or written now; remove it if it is not");
  }
  PartialDirectory directory(partial);
  SIDA_TRY(maker.write(directory.path()));
  return directory.rename_to(target);
}

}  // namespace sida::model

#include "common/model/model_config.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/model/json_document.h"
#include "common/model/quote_name.h"
#include "common/model/read_only_file.h"

namespace sida::model {

namespace {

using nlohmann::json;

constexpr std::int64_t kWidthMax = 1 << 20;  // Of a matrix side; the widest released model has 10240.
constexpr std::int64_t kVocabularyMax = 1 << 24;
constexpr std::int64_t kLayersMax = 1 << 10;
constexpr std::int64_t kExpertsMax = 1 << 16;

// Reads keys of one object; the first problem is kept and everything after it answers defaults.
class Keys {
 public:
  explicit Keys(const json& object) : object_(object) {}

  [[nodiscard]] bool contains(const char* key) const { return object_.contains(key); }
  [[nodiscard]] bool has(const char* key) const { return object_.contains(key) && !object_[key].is_null(); }

  std::int64_t integer(const char* key, std::int64_t otherwise, std::int64_t low, std::int64_t high) {
    if (!has(key)) return otherwise;
    return checked(key, object_[key], low, high).value_or(otherwise);
  }

  bool boolean(const char* key, bool otherwise) {
    if (!has(key)) return otherwise;
    if (object_[key].is_boolean()) return object_[key].get<bool>();
    problem(key, "is not true or false");
    return otherwise;
  }

  double number(const char* key, double otherwise, double low, double high) {
    if (!has(key)) return otherwise;
    const json& value = object_[key];
    if (value.is_number() && value.get<double>() >= low && value.get<double>() <= high) return value.get<double>();
    problem(key, "is not a number between " + std::to_string(low) + " and " + std::to_string(high));
    return otherwise;
  }

  std::string text(const char* key, std::string otherwise) {
    if (!has(key)) return otherwise;
    if (object_[key].is_string()) return object_[key].get<std::string>();
    problem(key, "is not a string");
    return otherwise;
  }

  // One integer or a list of them.
  std::vector<std::int32_t> ids(const char* key, std::vector<std::int32_t> otherwise, std::int64_t high) {
    if (!has(key)) return otherwise;
    const json& value = object_[key];
    std::vector<std::int32_t> result;
    for (const json& id : value.is_array() ? value : json::array({value})) {
      if (const auto integer = checked(key, id, 0, high)) result.push_back(static_cast<std::int32_t>(*integer));
    }
    if (result.empty() || result.size() > 64) problem(key, "does not list between 1 and 64 tokens");
    return result;
  }

  void problem(const char* key, const std::string& what) {
    if (problem_.empty()) problem_ = quote_name(key) + " " + what;
  }
  [[nodiscard]] Result<void> done() const {
    if (problem_.empty()) return {};
    return fail(ErrorCode::kInvalidModel, problem_);
  }

 private:
  std::optional<std::int64_t> checked(const char* key, const json& value, std::int64_t low, std::int64_t high) {
    // An unsigned value beyond int64 is a large number, not a negative one.
    const bool huge = value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(high);
    if (value.is_number_integer() && !huge && value.get<std::int64_t>() >= low && value.get<std::int64_t>() <= high) {
      return value.get<std::int64_t>();
    }
    problem(key, "is not an integer between " + std::to_string(low) + " and " + std::to_string(high));
    return std::nullopt;
  }

  const json& object_;
  std::string problem_;
};

std::optional<DType> declared_dtype(Keys& keys) {
  std::string text = keys.text("dtype", keys.text("torch_dtype", ""));
  if (text.starts_with("torch.")) text.erase(0, 6);
  if (text == "float32") return DType::kFloat32;
  if (text == "bfloat16") return DType::kBFloat16;
  if (text == "float16") return DType::kFloat16;
  return std::nullopt;
}

// Switch-xxl-128's gated experts are missing in Hugging Face since 4.32 as well.
void refuse_unsupported(Keys& keys) {
  const std::string type = keys.text("model_type", "switch_transformers");
  if (type != "switch_transformers")
    keys.problem("model_type", "is " + quote_name(type) + ", not 'switch_transformers'");
  const std::string projection = keys.text("feed_forward_proj", "relu");
  if (projection != "relu") {
    keys.problem("feed_forward_proj", "is " + quote_name(projection) + "; only 'relu' is supported");
  }
  const std::string activation = keys.text("dense_act_fn", "relu");
  if (activation != "relu") keys.problem("dense_act_fn", "is " + quote_name(activation) + "; only 'relu' is supported");
  if (keys.boolean("is_gated_act", false)) keys.problem("is_gated_act", "is true; gated experts are not supported");
  const std::string router_dtype = keys.text("router_dtype", "float32");
  if (router_dtype != "float32") {
    keys.problem("router_dtype", "is " + quote_name(router_dtype) + "; only 'float32' is supported");
  }
}

// As Hugging Face derives it: an explicit step overrides the number of sparse layers.
std::int64_t sparse_step(Keys& keys, const char* step_key, const char* sparse_key, std::int64_t layers) {
  if (keys.has(step_key)) return keys.integer(step_key, 0, 0, kLayersMax);
  const std::int64_t sparse = keys.integer(sparse_key, 3, 0, kLayersMax);
  return sparse > 0 ? layers / sparse : layers;
}

bool is_encoder_only(const json& config) {
  const auto architectures = config.find("architectures");
  if (architectures == config.end() || !architectures->is_array() || architectures->empty()) return false;
  const json& first = architectures->front();
  return first.is_string() && first.get<std::string>() == "SwitchTransformersEncoderModel";
}

void read_token_ids(Keys& config, Keys& generation, ModelConfig& model) {
  const std::int64_t high = model.vocab_size - 1;
  const auto id = [&](const char* key, std::int64_t otherwise) {
    return static_cast<std::int32_t>(generation.integer(key, config.integer(key, otherwise, 0, high), 0, high));
  };
  model.pad_token_id = id("pad_token_id", 0);
  model.eos_token_ids = generation.ids("eos_token_id", config.ids("eos_token_id", {1}, high), high);
  model.decoder_start_token_id = id("decoder_start_token_id", model.pad_token_id);
}

void read_sizes(Keys& keys, DeclaredModel& model) {
  ModelConfig& config = model.config;
  config.vocab_size = keys.integer("vocab_size", 32128, 1, kVocabularyMax);
  config.d_model = keys.integer("d_model", 768, 1, kWidthMax);
  config.d_kv = keys.integer("d_kv", 64, 1, kWidthMax);
  config.d_ff = keys.integer("d_ff", 2048, 1, kWidthMax);
  config.num_heads = keys.integer("num_heads", 12, 1, 1 << 12);
  config.num_experts = keys.integer("num_experts", 8, 1, kExpertsMax);
  config.num_buckets = keys.integer("relative_attention_num_buckets", 32, 4, 1 << 16);
  config.max_distance = keys.integer("relative_attention_max_distance", 128, 2, 1 << 24);
  config.expert_capacity = keys.integer("expert_capacity", 64, 1, std::numeric_limits<std::int32_t>::max());
  config.layer_norm_epsilon = static_cast<float>(keys.number("layer_norm_epsilon", 1e-6, 0.0, 1.0));
  config.tie_word_embeddings = keys.boolean("tie_word_embeddings", true);
  config.router_bias = keys.boolean("router_bias", false);
  config.hash_routing = keys.boolean("hash_routing", false);  // sida's own key.
  model.num_layers = keys.integer("num_layers", 12, 1, kLayersMax);
  // Hugging Face's default is 12; an explicit null means as many as the encoder has.
  const std::int64_t decoder_default = keys.contains("num_decoder_layers") ? model.num_layers : 12;
  model.num_decoder_layers = keys.integer("num_decoder_layers", decoder_default, 0, kLayersMax);
  model.encoder_sparse_step = sparse_step(keys, "encoder_sparse_step", "num_sparse_encoder_layers", model.num_layers);
  model.decoder_sparse_step =
      sparse_step(keys, "decoder_sparse_step", "num_sparse_decoder_layers", model.num_decoder_layers);
}

}  // namespace

Result<DeclaredModel> parse_model_config(std::string_view config_json, std::string_view generation_json) {
  const auto config = parse_json_document(config_json);
  if (!config) return fail_at("config.json", config.error());
  const auto generation = generation_json.empty() ? Result<json>(json::object()) : parse_json_document(generation_json);
  if (!generation) return fail_at("generation_config.json", generation.error());

  DeclaredModel model;
  Keys keys(*config);
  Keys generation_keys(*generation);
  refuse_unsupported(keys);
  read_sizes(keys, model);
  model.encoder_only = is_encoder_only(*config);
  model.dtype = declared_dtype(keys);
  read_token_ids(keys, generation_keys, model.config);
  if (auto done = keys.done(); !done) return fail_at("config.json", std::move(done).error());
  if (auto done = generation_keys.done(); !done) return fail_at("generation_config.json", std::move(done).error());
  return model;
}

Result<DeclaredModel> read_model_config(const std::filesystem::path& directory) {
  const auto config = read_text_file(directory / "config.json", kJsonDocumentBytesMax);
  if (!config) return tl::unexpected(config.error());
  auto generation = read_text_file(directory / "generation_config.json", kJsonDocumentBytesMax);
  if (!generation && generation.error().code != ErrorCode::kNotFound) return tl::unexpected(generation.error());
  auto model = parse_model_config(*config, generation ? *generation : std::string());
  if (!model) return fail_at(directory.string(), std::move(model).error());
  return model;
}

}  // namespace sida::model

#include "common/model/released_models.h"

#include <algorithm>
#include <array>

#include "common/model/quote_name.h"

namespace sida::model {

namespace {

struct Released {
  std::string_view name;
  std::int64_t d_model;
  std::int64_t d_ff;
  std::int64_t num_heads;
  std::int64_t layers;
  std::int64_t num_experts;
  double router_jitter_noise;
  DType dtype;
};

constexpr std::array kReleased{
    Released{"switch-base-8", 768, 3072, 12, 12, 8, 0.0, DType::kFloat32},
    Released{"switch-base-16", 768, 3072, 12, 12, 16, 0.01, DType::kFloat32},
    Released{"switch-base-32", 768, 3072, 12, 12, 32, 0.01, DType::kFloat32},
    Released{"switch-base-64", 768, 3072, 12, 12, 64, 0.01, DType::kFloat32},
    Released{"switch-base-128", 768, 3072, 12, 12, 128, 0.01, DType::kFloat32},
    Released{"switch-base-256", 768, 3072, 12, 12, 256, 0.01, DType::kFloat32},
    Released{"switch-large-128", 1024, 4096, 16, 24, 128, 0.01, DType::kBFloat16},
};

}  // namespace

std::vector<std::string_view> released_model_names() {
  std::vector<std::string_view> names;
  for (const Released& model : kReleased) names.push_back(model.name);
  return names;
}

Result<Blueprint> blueprint_like(std::string_view name, std::optional<std::int64_t> experts,
                                 std::optional<std::int64_t> layers) {
  const auto* model =
      std::find_if(kReleased.begin(), kReleased.end(), [&](const Released& r) { return r.name == name; });
  if (model == kReleased.end()) {
    std::string known;
    for (std::string_view other : released_model_names()) known += " " + std::string(other);
    return fail(ErrorCode::kInvalidArgument, "no model is called " + quote_name(name) + "; known are" + known);
  }
  Blueprint blueprint;
  blueprint.config.vocab_size = 32128;
  blueprint.config.d_model = model->d_model;
  blueprint.config.d_kv = 64;
  blueprint.config.d_ff = model->d_ff;
  blueprint.config.num_heads = model->num_heads;
  blueprint.config.num_experts = experts.value_or(model->num_experts);
  blueprint.config.dtype = model->dtype;
  blueprint.encoder_layers = layers.value_or(model->layers);
  blueprint.decoder_layers = blueprint.encoder_layers;
  blueprint.encoder_sparse_step = 2;
  blueprint.decoder_sparse_step = 2;
  blueprint.router_jitter_noise = model->router_jitter_noise;
  if (blueprint.config.num_experts < 1 || blueprint.config.num_experts > 65536) {
    return fail(ErrorCode::kInvalidArgument, "the number of experts is not between 1 and 65536");
  }
  if (blueprint.encoder_layers < 2 || blueprint.encoder_layers > 1024) {
    return fail(ErrorCode::kInvalidArgument, "the number of layers is not between 2 (the first MoE layer) and 1024");
  }
  return blueprint;
}

}  // namespace sida::model

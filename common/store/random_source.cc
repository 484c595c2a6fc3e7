#include "common/store/random_source.h"

#include <utility>

#include "common/model/random_model.h"

namespace sida::store {

RandomSource::RandomSource(model::Blueprint blueprint, std::uint64_t seed)
    : blueprint_(std::move(blueprint)), geometry_(model::geometry_of(blueprint_)), seed_(seed) {
  const model::ModelConfig& config = blueprint_.config;
  contents_.geometry = {.dtype = config.dtype == DType::kBFloat16 ? DType::kBFloat16 : DType::kFloat32,
                        .d_model = config.d_model,
                        .d_ff = config.d_ff,
                        .moe_layers = geometry_.moe_layers(),
                        .experts_per_layer = config.num_experts};
  contents_.identity = "random weights, seed " + std::to_string(seed) + "\n";
  for (model::TensorToWrite& tensor : model::random_tensors(blueprint_)) {
    if (tensor.name.find(".experts.expert_") != std::string::npos) continue;
    contents_.identity +=
        tensor.name + " " + std::string(name(tensor.dtype)) + " " + std::to_string(tensor.bytes()) + "\n";
    contents_.trunk.push_back(std::move(tensor));
  }
  contents_.expert_dtypes.assign(2 * contents_.geometry.experts(), config.dtype);
}

Result<void> RandomSource::write_description(const std::filesystem::path& directory) {
  return model::write_random_description(directory, blueprint_);
}

Result<void> RandomSource::read_trunk(const model::TensorToWrite& tensor, std::uint64_t first_byte,
                                      std::span<std::byte> destination) {
  model::fill_random(seed_, blueprint_.config, tensor.name, tensor.dtype, first_byte / bytes_per_element(tensor.dtype),
                     destination);
  return {};
}

Result<void> RandomSource::read_rows(ExpertKey key, const Band& band, std::span<std::byte> destination) const {
  const std::string name = model::expert_prefix(model::position(geometry_, key.layer), key.expert) +
                           (band.matrix == Matrix::kWi ? "wi.weight" : "wo.weight");
  model::fill_random(seed_, blueprint_.config, name, blueprint_.config.dtype,
                     static_cast<std::uint64_t>(band.first_row * band.columns), destination);
  return {};
}

}  // namespace sida::store

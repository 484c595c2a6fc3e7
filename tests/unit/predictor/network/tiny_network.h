// Networks of a few weights for tests/support/tiny_model.h's model, with random values.
#pragma once

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/model/safetensors_writer.h"
#include "predictor/network/network_shape.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_model.h"

namespace sida::predictor {

inline ModelShape tiny_model_shape() {
  return {.vocab_size = 40, .d_model = 8, .num_experts = 3, .encoder_layers = 2, .decoder_layers = 1};
}

// As the model: blocks dense and MoE by turns.
inline NetworkShape tiny_miniature() {
  return {Variant::kMiniature, 8, 2, 4, {{12, 6, 12, 6}, {1, 3}}, {{12, 0}, {1}}};
}

// Narrower than the model, so that there is an input matrix; heads share a block.
inline NetworkShape tiny_narrow_miniature() {
  return {Variant::kMiniature, 6, 2, 3, {{5, 4}, {0, 1}}, {{0}, {0}}};
}

inline NetworkShape tiny_published() {
  return {.variant = Variant::kPublished, .width = 16, .encoder = {}, .decoder = {}};
}

// Deterministic, of the order of 1 in every dimension that is summed over.
inline std::vector<float> tiny_values(const NetworkTensor& tensor, std::uint64_t seed) {
  std::size_t count = 1;
  for (const std::int64_t size : tensor.shape) count *= static_cast<std::size_t>(size);
  const double scale = tensor.role == TensorRole::kMatrix ? 1.5 / std::sqrt(static_cast<double>(tensor.shape[1])) : 1;
  std::vector<float> values(count);
  std::uint64_t state = seed * 7919 + tensor.name.size();
  for (const char letter : tensor.name) state = state * 31 + static_cast<unsigned char>(letter);
  for (float& value : values) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    value = static_cast<float>(scale * (static_cast<double>(state >> 40U) / (1U << 23U) - 1));
    if (tensor.role == TensorRole::kNorm || tensor.role == TensorRole::kSharpness) value = 1.5F + value;
  }
  return values;
}

inline void write_tiny_weights(const std::filesystem::path& path, const NetworkShape& shape, const ModelShape& model,
                               std::uint64_t seed = 1) {
  std::vector<model::TensorToWrite> listed;
  for (const NetworkTensor& tensor : tensors_of(shape, model)) {
    listed.push_back({tensor.name, DType::kFloat32, tensor.shape, {}});
  }
  auto writer = model::create_safetensors(path, listed);
  SIDA_CHECK(writer.has_value());
  for (const NetworkTensor& tensor : tensors_of(shape, model)) {
    const std::vector<float> values = tiny_values(tensor, seed);
    SIDA_CHECK((*writer)->append(std::as_bytes(std::span(values))).has_value());
  }
  SIDA_CHECK((*writer)->finish().has_value());
}

}  // namespace sida::predictor

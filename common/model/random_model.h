// A model of random weights, piece by piece: what make_model and the expert store of such a model are written from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/model/geometry.h"
#include "common/model/released_models.h"
#include "common/model/tensor_file_writer.h"

namespace sida::model {

[[nodiscard]] ModelGeometry geometry_of(const Blueprint& blueprint);

// All of them, sorted by name.
[[nodiscard]] std::vector<TensorToWrite> random_tensors(const Blueprint& blueprint);

// The values of a tensor from element `first` on. They depend on seed, name and element alone. Any thread.
void fill_random(std::uint64_t seed, const ModelConfig& config, std::string_view name, DType dtype, std::uint64_t first,
                 std::span<std::byte> destination);

// config.json with the keys of the released files, generation_config.json, and the predictor of a model with hash
// routing, whose tables are its hash function. Errors: kIo.
[[nodiscard]] Result<void> write_random_description(const std::filesystem::path& directory, const Blueprint& blueprint);

}  // namespace sida::model

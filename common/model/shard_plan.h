// Which file holds which tensor.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/model/tensor_file_writer.h"

namespace sida::model {

struct Shard {
  std::string file;  // "model.safetensors", or "model-00001-of-00003.safetensors" where there are several.
  std::vector<TensorToWrite> tensors;
};

// Fills one file after another in the given order, none above `bytes_max` unless one tensor is larger (Hugging Face's
// rule). Names: <stem><extension> and <stem>-0000i-of-0000n<extension>. At least one shard.
[[nodiscard]] std::vector<Shard> plan_shards(std::vector<TensorToWrite> tensors, std::uint64_t bytes_max,
                                             std::string_view stem, std::string_view extension);

// The index of several shards as JSON, aliases included: model.safetensors.index.json.
[[nodiscard]] std::string shard_index_json(const std::vector<Shard>& shards);

}  // namespace sida::model

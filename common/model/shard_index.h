// model.safetensors.index.json and pytorch_model.bin.index.json: which file holds which tensor.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace sida::model {

struct ShardIndex {
  std::map<std::string, std::string, std::less<>> file_of;  // Tensor name to file name.
  std::set<std::string, std::less<>> files;                 // Plain names, in the index's own folder.
};

// Everything but `weight_map` is ignored. Errors: kInvalidModel for a tensor named twice, a file name with a path in
// it, an empty map.
[[nodiscard]] Result<ShardIndex> parse_shard_index(std::string_view json);

}  // namespace sida::model

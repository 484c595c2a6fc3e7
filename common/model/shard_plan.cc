#include "common/model/shard_plan.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace sida::model {

namespace {

std::string five_digits(std::size_t number) {
  std::string text = std::to_string(number);
  if (text.size() < 5) text.insert(0, 5 - text.size(), '0');
  return text;
}

}  // namespace

std::vector<Shard> plan_shards(std::vector<TensorToWrite> tensors, std::uint64_t bytes_max, std::string_view stem,
                               std::string_view extension) {
  std::vector<Shard> shards(1);
  std::uint64_t used = 0;
  for (TensorToWrite& tensor : tensors) {
    const std::uint64_t bytes = tensor.bytes();
    if (!shards.back().tensors.empty() && (bytes > bytes_max || used > bytes_max - bytes)) {
      shards.emplace_back();
      used = 0;
    }
    used += bytes;
    shards.back().tensors.push_back(std::move(tensor));
  }
  for (std::size_t i = 0; i < shards.size(); ++i) {
    shards[i].file = stem;
    if (shards.size() > 1) shards[i].file += "-" + five_digits(i + 1) + "-of-" + five_digits(shards.size());
    shards[i].file += extension;
  }
  return shards;
}

std::string shard_index_json(const std::vector<Shard>& shards) {
  nlohmann::json index;
  std::uint64_t total = 0;
  for (const Shard& shard : shards) {
    for (const TensorToWrite& tensor : shard.tensors) {
      total += tensor.bytes();
      index["weight_map"][tensor.name] = shard.file;
      for (const std::string& alias : tensor.aliases) index["weight_map"][alias] = shard.file;
    }
  }
  index["metadata"]["total_size"] = total;
  return index.dump(2) + "\n";
}

}  // namespace sida::model

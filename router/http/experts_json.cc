#include "router/http/experts_json.h"

#include <cstddef>
#include <vector>

namespace sida::router {
namespace {

using nlohmann::json;

json rows_json(const RouterStatus& status) {
  auto layers = json::array();
  const auto width = static_cast<std::size_t>(status.model.experts_per_layer);
  for (std::int32_t layer = 0; layer < status.model.moe_layers; ++layer) {
    const bool known = status.expert_rows != nullptr && status.expert_rows->counted();
    const auto counts = known ? status.expert_rows->of(LayerId{layer}) : std::span<const std::uint64_t>();
    layers.push_back(known ? std::vector<std::uint64_t>(counts.begin(), counts.end())
                           : std::vector<std::uint64_t>(width, 0));
  }
  return layers;
}

// A worker's message may name experts that the model does not have.
json resident_json(const ModelShape& model, const std::vector<ExpertKey>& resident) {
  std::vector<std::vector<std::int32_t>> layers(static_cast<std::size_t>(model.moe_layers));
  for (const ExpertKey& key : resident) {
    const bool exists = key.layer.value >= 0 && key.layer.value < model.moe_layers && key.expert.value >= 0 &&
                        key.expert.value < model.experts_per_layer;
    if (exists) layers[static_cast<std::size_t>(key.layer.value)].push_back(key.expert.value);
  }
  return layers;
}

}  // namespace

json experts_json(const RouterStatus& status) {
  const auto experts =
      static_cast<std::size_t>(status.model.moe_layers) * static_cast<std::size_t>(status.model.experts_per_layer);
  if (experts > ExpertRows::kCountedMax) return {{"rows", nullptr}, {"resident", nullptr}};
  auto resident = json::object();
  for (const WorkerStatus& worker : status.workers) {
    if (worker.resident != nullptr) resident[worker.name] = resident_json(status.model, *worker.resident);
  }
  return {{"rows", rows_json(status)}, {"resident", std::move(resident)}};
}

}  // namespace sida::router

// How many rows each expert served: what the heat map of the dashboard shows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/base/ids.h"

namespace sida::router {

// One thread. A model with more experts than kCountedMax is not counted at all: its status would be megabytes.
class ExpertRows {
 public:
  static constexpr std::size_t kCountedMax = 65536;

  ExpertRows() = default;
  ExpertRows(std::int32_t layers, std::int32_t experts_per_layer)
      : experts_per_layer_(experts_per_layer),
        counts_(static_cast<std::size_t>(layers) * static_cast<std::size_t>(experts_per_layer) <= kCountedMax
                    ? static_cast<std::size_t>(layers) * static_cast<std::size_t>(experts_per_layer)
                    : 0) {}

  // `served`: the expert of each row, -1 for none; ids are valid for the model.
  void add(LayerId layer, std::span<const std::int32_t> served) {
    if (counts_.empty()) return;
    const std::size_t first = static_cast<std::size_t>(layer.value) * static_cast<std::size_t>(experts_per_layer_);
    for (const std::int32_t expert : served) {
      if (expert >= 0) ++counts_[first + static_cast<std::size_t>(expert)];
    }
  }

  // [experts of the layer]; empty when nothing is counted.
  [[nodiscard]] std::span<const std::uint64_t> of(LayerId layer) const {
    if (counts_.empty()) return {};
    const auto width = static_cast<std::size_t>(experts_per_layer_);
    return std::span(counts_).subspan(static_cast<std::size_t>(layer.value) * width, width);
  }
  [[nodiscard]] bool counted() const { return !counts_.empty(); }

 private:
  std::int32_t experts_per_layer_ = 0;
  std::vector<std::uint64_t> counts_;  // [layers, experts]
};

}  // namespace sida::router

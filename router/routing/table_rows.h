// The hash table's entries for the rows that one sequence has in a step, in all MoE layers of a stack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/base/ids.h"

namespace sida::router {

struct TableRows {
  LayerId first_layer;
  std::uint32_t layers = 0;
  std::uint32_t rows = 0;
  std::uint32_t k = 1;
  std::vector<std::int16_t> experts;  // [layers, rows, k], best first; -1: no entry. A rank after a -1 is -1 too.
  std::vector<float> confidences;     // [layers, rows, k], in [0, 1].

  // Of one row in one layer, k of each.
  [[nodiscard]] std::span<const std::int16_t> experts_of(LayerId layer, std::size_t row) const {
    return std::span(experts).subspan(first(layer, row), k);
  }
  [[nodiscard]] std::span<const float> confidences_of(LayerId layer, std::size_t row) const {
    return std::span(confidences).subspan(first(layer, row), k);
  }

 private:
  [[nodiscard]] std::size_t first(LayerId layer, std::size_t row) const {
    return (static_cast<std::size_t>(layer.value - first_layer.value) * rows + row) * k;
  }
};

}  // namespace sida::router

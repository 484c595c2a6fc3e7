// The simulated model: an expert turns a row into another number, so that a row computed by the wrong expert shows.
#pragma once

#include <cstdint>

#include "common/base/ids.h"

namespace sida::sim {

struct SimModel {
  std::int32_t layers = 1;
  std::int32_t experts = 4;
  [[nodiscard]] std::uint64_t experts_total() const {
    return static_cast<std::uint64_t>(layers) * static_cast<std::uint64_t>(experts);
  }
};

constexpr std::uint32_t kColumns = 4;
constexpr std::uint64_t kRowBytes = 16;  // kColumns of fp32.

// Not symmetric in its arguments, so that swapped rows and experts give another value.
inline std::uint64_t compute_row(ExpertKey expert, std::uint64_t row) {
  std::uint64_t x = row * 0x9e3779b97f4a7c15U + static_cast<std::uint64_t>(expert.layer.value) * 0xc2b2ae3d27d4eb4fU +
                    static_cast<std::uint64_t>(expert.expert.value) * 0x165667b19e3779f9U + 1;
  x ^= x >> 29U;
  x *= 0xbf58476d1ce4e5b9U;
  return x ^ (x >> 32U);
}

}  // namespace sida::sim

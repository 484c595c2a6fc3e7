// An expert's block in pieces: each is a few rows of one matrix, and packs by itself.
#pragma once

#include <cstdint>
#include <vector>

#include "common/model/store_manifest.h"

namespace sida::store {

enum class Matrix { kWi, kWo };

// Rows [first_row, first_row + rows) of a matrix, whole panels of its packed form (common/tensor/packed_matrix.h),
// which therefore lie together in the block.
struct Band {
  Matrix matrix = Matrix::kWi;
  std::int64_t first_row = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::uint64_t offset = 0;  // In the block, bytes.
  std::uint64_t bytes = 0;   // Packed.

  bool operator==(const Band&) const = default;
};

// In the order of the block, without gaps. Each has about a MiB, whatever the size of an expert: what is held in memory
// does not depend on the model.
[[nodiscard]] std::vector<Band> expert_bands(const model::StoreGeometry& geometry);

}  // namespace sida::store

#include "common/store/expert_bands.h"

#include <algorithm>

#include "common/tensor/packed_matrix.h"

namespace sida::store {
namespace {

constexpr std::uint64_t kBandBytes = 1U << 20U;

void add_bands(Matrix matrix, std::int64_t outputs, std::int64_t inputs, DType dtype, std::vector<Band>& bands) {
  const std::int64_t panel = dtype == DType::kBFloat16 ? kPanelOutputsBFloat16 : kPanelOutputsFloat32;
  const std::uint64_t panel_bytes = packed_bytes(panel, inputs, dtype);
  const auto panels = static_cast<std::int64_t>(std::max<std::uint64_t>(1, kBandBytes / panel_bytes));
  for (std::int64_t row = 0; row < outputs; row += panels * panel) {
    const std::int64_t rows = std::min(panels * panel, outputs - row);
    const std::uint64_t offset = bands.empty() ? 0 : bands.back().offset + bands.back().bytes;
    bands.push_back({matrix, row, rows, inputs, offset, packed_bytes(rows, inputs, dtype)});
  }
}

}  // namespace

std::vector<Band> expert_bands(const model::StoreGeometry& geometry) {
  std::vector<Band> bands;
  add_bands(Matrix::kWi, geometry.d_ff, geometry.d_model, geometry.dtype, bands);
  add_bands(Matrix::kWo, geometry.d_model, geometry.d_ff, geometry.dtype, bands);
  return bands;
}

}  // namespace sida::store

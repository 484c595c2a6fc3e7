// Rows with memory of their own: activations between two operations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/tensor/rows.h"

namespace sida::predictor {

class OwnedRows {
 public:
  OwnedRows() = default;
  OwnedRows(std::int64_t count, std::int64_t columns, DType dtype)
      : bytes_(static_cast<std::size_t>(count * columns) * bytes_per_element(dtype)),
        count_(count),
        columns_(columns),
        dtype_(dtype) {}

  Rows rows() { return {bytes_.data(), count_, columns_, dtype_}; }
  [[nodiscard]] ConstRows rows() const { return {bytes_.data(), count_, columns_, dtype_}; }
  // `count` rows from `first` on.
  Rows part(std::int64_t first, std::int64_t count) { return {rows().row(first), count, columns_, dtype_}; }
  [[nodiscard]] ConstRows part(std::int64_t first, std::int64_t count) const {
    return {rows().row(first), count, columns_, dtype_};
  }
  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] std::int64_t columns() const { return columns_; }

  // fp32 only.
  [[nodiscard]] std::span<float> values() { return {rows().f32(), static_cast<std::size_t>(count_ * columns_)}; }
  [[nodiscard]] std::span<const float> values() const {
    return {rows().f32(), static_cast<std::size_t>(count_ * columns_)};
  }

  // Copies `rows`, of the same columns and dtype, behind the last.
  void append(ConstRows rows) {
    const auto* from = static_cast<const std::byte*>(rows.data);
    bytes_.insert(bytes_.end(), from, from + rows.bytes());
    count_ += rows.count;
  }
  void drop_first(std::int64_t count) {
    bytes_.erase(bytes_.begin(),
                 bytes_.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(count) * rows().row_bytes()));
    count_ -= count;
  }

 private:
  std::vector<std::byte> bytes_;
  std::int64_t count_ = 0;
  std::int64_t columns_ = 0;
  DType dtype_ = DType::kFloat32;
};

}  // namespace sida::predictor

// Views of row-major activations: sida's tensors at every seam. They own nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/result.h"
#include "common/tensor/dtype.h"

namespace sida {

// [count, columns], rows contiguous one after another. The caller keeps the memory alive during the call.
struct ConstRows {
  const void* data = nullptr;
  std::int64_t count = 0;
  std::int64_t columns = 0;
  DType dtype = DType::kFloat32;

  [[nodiscard]] std::size_t row_bytes() const { return static_cast<std::size_t>(columns) * bytes_per_element(dtype); }
  [[nodiscard]] std::size_t bytes() const { return static_cast<std::size_t>(count) * row_bytes(); }
  [[nodiscard]] const std::byte* row(std::int64_t index) const {
    return static_cast<const std::byte*>(data) + static_cast<std::size_t>(index) * row_bytes();
  }
  [[nodiscard]] const float* f32() const {
    SIDA_CHECK(dtype == DType::kFloat32);
    return static_cast<const float*>(data);
  }
  [[nodiscard]] const BFloat16* bf16() const {
    SIDA_CHECK(dtype == DType::kBFloat16);
    return static_cast<const BFloat16*>(data);
  }
};

struct Rows {
  void* data = nullptr;
  std::int64_t count = 0;
  std::int64_t columns = 0;
  DType dtype = DType::kFloat32;

  operator ConstRows() const { return {data, count, columns, dtype}; }  // NOLINT: as T* to const T*.
  [[nodiscard]] std::size_t row_bytes() const { return static_cast<std::size_t>(columns) * bytes_per_element(dtype); }
  [[nodiscard]] std::size_t bytes() const { return static_cast<std::size_t>(count) * row_bytes(); }
  [[nodiscard]] std::byte* row(std::int64_t index) const {
    return static_cast<std::byte*>(data) + static_cast<std::size_t>(index) * row_bytes();
  }
  [[nodiscard]] float* f32() const {
    SIDA_CHECK(dtype == DType::kFloat32);
    return static_cast<float*>(data);
  }
  [[nodiscard]] BFloat16* bf16() const {
    SIDA_CHECK(dtype == DType::kBFloat16);
    return static_cast<BFloat16*>(data);
  }
};

}  // namespace sida

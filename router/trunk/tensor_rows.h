// LibTorch tensors as sida's row views, and fresh tensors of rows.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <cstdint>

#include "common/base/result.h"
#include "common/tensor/rows.h"

namespace sida::router {

inline at::ScalarType scalar_type(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return at::kFloat;
    case DType::kBFloat16:
      return at::kBFloat16;
    case DType::kFloat16:
      return at::kHalf;
    case DType::kInt64:
      return at::kLong;
    case DType::kInt32:
      return at::kInt;
    case DType::kInt16:
      return at::kShort;
    case DType::kUInt8:
      return at::kByte;
  }
  SIDA_CHECK(false);
}

inline DType dtype_of(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kBFloat16 ? DType::kBFloat16 : DType::kFloat32;
}

// Uninitialised, contiguous [count, columns] on the CPU.
inline at::Tensor empty_rows(std::int64_t count, std::int64_t columns, DType dtype) {
  return at::empty({count, columns}, at::TensorOptions().dtype(scalar_type(dtype)));
}

// A view of a contiguous two-dimensional tensor of fp32 or bf16. Valid while the tensor lives.
inline Rows rows_of(const at::Tensor& tensor) {
  SIDA_CHECK(tensor.dim() == 2 && tensor.is_contiguous());
  return {tensor.data_ptr(), tensor.size(0), tensor.size(1), dtype_of(tensor)};
}

// Rows [first, first + count) of a view.
inline Rows slice(Rows rows, std::int64_t first, std::int64_t count) {
  SIDA_CHECK(first >= 0 && count >= 0 && first + count <= rows.count);
  return {rows.row(first), count, rows.columns, rows.dtype};
}

}  // namespace sida::router

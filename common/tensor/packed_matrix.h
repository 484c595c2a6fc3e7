// Weights in the layout that the kernels read: panels of output columns, so that one pass over memory serves all rows.
//
// bf16: panels of 64 outputs, inputs in pairs: [outputs/64][inputs/2][64][2].
// fp32: panels of 32 outputs:                  [outputs/32][inputs][32].
// Outputs are padded with zeros to whole panels and, for bf16, inputs to an even number.
// The layout is part of the store's format: it never depends on the processor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/base/result.h"
#include "common/tensor/dtype.h"

namespace sida {

inline constexpr std::int64_t kPanelOutputsFloat32 = 32;
inline constexpr std::int64_t kPanelOutputsBFloat16 = 64;

// Names the layout above, for files that hold packed weights: a kernel family with another layout has another name.
constexpr std::string_view packed_layout(DType dtype) {
  return dtype == DType::kBFloat16 ? "panels-64-pairs" : "panels-32";
}

// A view of a packed [outputs, inputs] matrix; computes y[outputs] = W x[inputs]. Owns nothing; 64-byte aligned.
struct PackedMatrix {
  const void* data = nullptr;
  std::int64_t outputs = 0;
  std::int64_t inputs = 0;
  DType dtype = DType::kFloat32;  // kFloat32 or kBFloat16.
};

// wo(relu(wi(x))), both matrices in one dtype: a dense feed-forward layer or one expert.
struct PackedFfn {
  PackedMatrix wi;  // [d_ff, d_model]
  PackedMatrix wo;  // [d_model, d_ff]
};

// Bytes of a packed matrix, a multiple of 64. Sizes are already validated: no overflow.
std::size_t packed_bytes(std::int64_t outputs, std::int64_t inputs, DType dtype);

// Packs a row-major [outputs, inputs] matrix of `source_dtype` (fp32, bf16 or fp16) into `destination`, which holds
// packed_bytes(outputs, inputs, dtype). The source may be unaligned. To bf16 rounds to nearest even (bf16 itself is
// copied); to fp32 is exact.
PackedMatrix pack(const void* source, DType source_dtype, std::int64_t outputs, std::int64_t inputs, DType dtype,
                  std::span<std::byte> destination);

}  // namespace sida

#include "common/tensor/packed_matrix.h"

#include <algorithm>
#include <cstring>

namespace sida {
namespace {

// One cache line or less of each source row at a time: a block of the panel stays in the first-level cache.
constexpr std::int64_t kBlockInputs = 16;

constexpr std::int64_t panel_outputs(DType dtype) {
  return dtype == DType::kBFloat16 ? kPanelOutputsBFloat16 : kPanelOutputsFloat32;
}

constexpr std::int64_t padded_inputs(std::int64_t inputs, DType dtype) {
  return dtype == DType::kBFloat16 ? inputs + inputs % 2 : inputs;
}

// The bytes of weights come from files, at any alignment.
template <typename T>
T read_at(const std::byte* row, std::int64_t index) {
  T value;
  std::memcpy(&value, row + static_cast<std::size_t>(index) * sizeof(T), sizeof(T));
  return value;
}

struct FromFloat32 {
  static constexpr std::size_t kBytes = 4;
  static float to_fp32(const std::byte* row, std::int64_t index) { return read_at<float>(row, index); }
  static BFloat16 to_bf16(const std::byte* row, std::int64_t index) { return to_bfloat16(read_at<float>(row, index)); }
};

struct FromBFloat16 {
  static constexpr std::size_t kBytes = 2;
  static float to_fp32(const std::byte* row, std::int64_t index) { return to_float(read_at<BFloat16>(row, index)); }
  static BFloat16 to_bf16(const std::byte* row, std::int64_t index) { return read_at<BFloat16>(row, index); }
};

struct FromFloat16 {
  static constexpr std::size_t kBytes = 2;
  static float to_fp32(const std::byte* row, std::int64_t index) {
    return half_to_float(read_at<std::uint16_t>(row, index));
  }
  static BFloat16 to_bf16(const std::byte* row, std::int64_t index) { return to_bfloat16(to_fp32(row, index)); }
};

// One block of one panel: outputs [first_output, last_output), inputs [first_input, last_input).
struct Block {
  std::int64_t first_output, last_output, first_input, last_input;
};

template <typename From>
void pack_block_fp32(const std::byte* source, std::int64_t inputs, const Block& block, float* panel) {
  for (std::int64_t output = block.first_output; output < block.last_output; ++output) {
    const std::byte* row = source + static_cast<std::size_t>(output * inputs) * From::kBytes;
    float* column = panel + (output - block.first_output);
    for (std::int64_t input = block.first_input; input < block.last_input; ++input) {
      column[input * kPanelOutputsFloat32] = From::to_fp32(row, input);
    }
  }
}

template <typename From>
void pack_block_bf16(const std::byte* source, std::int64_t inputs, const Block& block, BFloat16* panel) {
  for (std::int64_t output = block.first_output; output < block.last_output; ++output) {
    const std::byte* row = source + static_cast<std::size_t>(output * inputs) * From::kBytes;
    BFloat16* column = panel + 2 * (output - block.first_output);
    for (std::int64_t input = block.first_input; input < block.last_input; ++input) {
      column[input / 2 * 2 * kPanelOutputsBFloat16 + input % 2] = From::to_bf16(row, input);
    }
  }
}

template <typename From>
void pack_all(const std::byte* source, const PackedMatrix& matrix, std::byte* destination) {
  const std::int64_t width = panel_outputs(matrix.dtype);
  const std::int64_t panel_elements = width * padded_inputs(matrix.inputs, matrix.dtype);
  for (std::int64_t first = 0; first < matrix.outputs; first += width) {
    std::byte* panel =
        destination + static_cast<std::size_t>(first / width * panel_elements) * bytes_per_element(matrix.dtype);
    const std::int64_t last = std::min(first + width, matrix.outputs);
    for (std::int64_t input = 0; input < matrix.inputs; input += kBlockInputs) {
      const Block block{first, last, input, std::min(input + kBlockInputs, matrix.inputs)};
      if (matrix.dtype == DType::kBFloat16) {
        pack_block_bf16<From>(source, matrix.inputs, block, reinterpret_cast<BFloat16*>(panel));
      } else {
        pack_block_fp32<From>(source, matrix.inputs, block, reinterpret_cast<float*>(panel));
      }
    }
  }
}

bool has_padding(const PackedMatrix& matrix) {
  return matrix.outputs % panel_outputs(matrix.dtype) != 0 ||
         padded_inputs(matrix.inputs, matrix.dtype) != matrix.inputs;
}

}  // namespace

std::size_t packed_bytes(std::int64_t outputs, std::int64_t inputs, DType dtype) {
  SIDA_CHECK(dtype == DType::kFloat32 || dtype == DType::kBFloat16);
  const std::int64_t width = panel_outputs(dtype);
  const std::int64_t panels = (outputs + width - 1) / width;
  return static_cast<std::size_t>(panels * width * padded_inputs(inputs, dtype)) * bytes_per_element(dtype);
}

PackedMatrix pack(const void* source, DType source_dtype, std::int64_t outputs, std::int64_t inputs, DType dtype,
                  std::span<std::byte> destination) {
  SIDA_CHECK(destination.size() == packed_bytes(outputs, inputs, dtype));
  const PackedMatrix matrix{destination.data(), outputs, inputs, dtype};
  if (has_padding(matrix)) std::fill(destination.begin(), destination.end(), std::byte{0});
  const auto* bytes = static_cast<const std::byte*>(source);
  switch (source_dtype) {
    case DType::kFloat32:
      pack_all<FromFloat32>(bytes, matrix, destination.data());
      break;
    case DType::kBFloat16:
      pack_all<FromBFloat16>(bytes, matrix, destination.data());
      break;
    default:
      SIDA_CHECK(source_dtype == DType::kFloat16);
      pack_all<FromFloat16>(bytes, matrix, destination.data());
  }
  return matrix;
}

}  // namespace sida

// Element types, and bfloat16/float16 conversion.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sida {

// Numbers travel in messages: never renumber.
enum class DType : std::uint8_t {
  kFloat32 = 1,
  kBFloat16 = 2,
  kFloat16 = 3,
  kInt64 = 4,
  kInt32 = 5,
  kInt16 = 6,
  kUInt8 = 7
};

constexpr std::size_t bytes_per_element(DType dtype) {
  switch (dtype) {
    case DType::kInt64:
      return 8;
    case DType::kFloat32:
    case DType::kInt32:
      return 4;
    case DType::kBFloat16:
    case DType::kFloat16:
    case DType::kInt16:
      return 2;
    case DType::kUInt8:
      return 1;
  }
  return 0;
}

constexpr std::string_view name(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return "fp32";
    case DType::kBFloat16:
      return "bf16";
    case DType::kFloat16:
      return "fp16";
    case DType::kInt64:
      return "int64";
    case DType::kInt32:
      return "int32";
    case DType::kInt16:
      return "int16";
    case DType::kUInt8:
      return "uint8";
  }
  return "unknown";
}

// The 16 bits of a bfloat16. A plain struct, so that a row of them is a row of bytes.
struct BFloat16 {
  std::uint16_t bits = 0;
};

constexpr float to_float(BFloat16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16U);
}

// Round to nearest, ties to even; NaN stays NaN (quiet). The same bits as c10::BFloat16 and VCVTNEPS2BF16, except that
// the instruction flushes denormals.
constexpr BFloat16 to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffU) > 0x7f800000U) return {0x7fc0};
  return {static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16U) & 1U)) >> 16U)};
}

constexpr float round_to_bfloat16(float value) {
  return to_float(to_bfloat16(value));
}

// IEEE half precision to single; exact.
float half_to_float(std::uint16_t bits);

// Round to nearest, ties to even; beyond 65504 infinity, NaN stays NaN (quiet). The same bits as VCVTPS2PH.
std::uint16_t to_half(float value);

}  // namespace sida

#include "common/tensor/packed_matrix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

namespace sida {
namespace {

// A few values that tell the rounding of each dtype apart: ties, denormals, the largest.
constexpr std::uint32_t kFloat32Bits[] = {0x3f800000, 0x3f808000, 0x3f818000, 0x3f808001, 0x00012345,
                                          0x80000000, 0x7f7fffff, 0xc2f6e979, 0x00000000};
constexpr std::uint16_t kBFloat16Bits[] = {0x3f80, 0xbf81, 0x0001, 0x8000, 0x7f7f, 0xc2f7, 0x0080};
constexpr std::uint16_t kFloat16Bits[] = {0x3c00, 0x3c01, 0xbc03, 0x0001, 0x83ff, 0x7bff, 0x8000};

// [outputs, inputs] of `dtype`, and what each element is in fp32.
struct Source {
  std::vector<std::byte> bytes;
  std::vector<float> values;
};

template <typename Bits, std::size_t N>
Source repeat(const Bits (&bits)[N], std::size_t count, float (*to_fp32)(Bits)) {
  Source source;
  source.bytes.resize(count * sizeof(Bits));
  for (std::size_t i = 0; i < count; ++i) {
    const Bits value = bits[(i * 7 + i / 5) % N];
    std::memcpy(source.bytes.data() + i * sizeof(Bits), &value, sizeof(Bits));
    source.values.push_back(to_fp32(value));
  }
  return source;
}

Source make_source(DType dtype, std::size_t count) {
  if (dtype == DType::kFloat32) {
    return repeat(
        kFloat32Bits, count, +[](std::uint32_t bits) { return std::bit_cast<float>(bits); });
  }
  if (dtype == DType::kBFloat16) {
    return repeat(
        kBFloat16Bits, count, +[](std::uint16_t bits) { return to_float(BFloat16{bits}); });
  }
  return repeat(
      kFloat16Bits, count, +[](std::uint16_t bits) { return half_to_float(bits); });
}

struct Shape {
  std::int64_t outputs, inputs;
};
constexpr Shape kShapes[] = {{1, 1}, {32, 4}, {33, 5}, {64, 16}, {65, 17}, {130, 33}};

// Element [output][input] where the layout of packed_matrix.h puts it.
std::uint32_t bits_at(const PackedMatrix& matrix, std::int64_t output, std::int64_t input) {
  if (matrix.dtype == DType::kFloat32) {
    const auto* data = static_cast<const std::uint32_t*>(matrix.data);
    return data[(output / 32 * matrix.inputs + input) * 32 + output % 32];
  }
  const auto* data = static_cast<const std::uint16_t*>(matrix.data);
  const std::int64_t pairs = (matrix.inputs + 1) / 2;
  return data[((output / 64 * pairs + input / 2) * 64 + output % 64) * 2 + input % 2];
}

std::uint32_t expected_bits(float value, DType dtype) {
  return dtype == DType::kFloat32 ? std::bit_cast<std::uint32_t>(value) : to_bfloat16(value).bits;
}

class PackedMatrixOf : public testing::TestWithParam<std::tuple<DType, DType>> {};

TEST_P(PackedMatrixOf, HoldsEveryElementAtItsPlaceAndZerosInThePadding) {
  const auto [source_dtype, dtype] = GetParam();
  for (const auto& [outputs, inputs] : kShapes) {
    const Source source = make_source(source_dtype, static_cast<std::size_t>(outputs * inputs));
    std::vector<std::byte> destination(packed_bytes(outputs, inputs, dtype), std::byte{0xff});
    const PackedMatrix matrix = pack(source.bytes.data(), source_dtype, outputs, inputs, dtype, destination);

    EXPECT_EQ(matrix.data, destination.data());
    std::size_t elements_not_zero = 0;
    for (std::int64_t output = 0; output < outputs; ++output) {
      for (std::int64_t input = 0; input < inputs; ++input) {
        const float value = source.values[static_cast<std::size_t>(output * inputs + input)];
        const std::uint32_t expected = expected_bits(value, dtype);
        ASSERT_EQ(bits_at(matrix, output, input), expected) << output << " " << input;
        elements_not_zero += expected != 0 ? 1 : 0;
      }
    }
    // Nothing outside the matrix is other than zero.
    std::size_t all_not_zero = 0;
    for (std::size_t at = 0; at < destination.size(); at += bytes_per_element(dtype)) {
      std::uint32_t bits = 0;
      std::memcpy(&bits, destination.data() + at, bytes_per_element(dtype));
      all_not_zero += bits != 0 ? 1 : 0;
    }
    EXPECT_EQ(all_not_zero, elements_not_zero);
  }
}

INSTANTIATE_TEST_SUITE_P(EveryPair, PackedMatrixOf,
                         testing::Combine(testing::Values(DType::kFloat32, DType::kBFloat16, DType::kFloat16),
                                          testing::Values(DType::kFloat32, DType::kBFloat16)),
                         [](const auto& pair) {
                           return std::string(name(std::get<0>(pair.param))) + "_to_" +
                                  std::string(name(std::get<1>(pair.param)));
                         });

TEST(PackedMatrix, SizesAreWholePanels) {
  EXPECT_EQ(packed_bytes(3072, 768, DType::kBFloat16), 3072U * 768 * 2);
  EXPECT_EQ(packed_bytes(65, 3, DType::kBFloat16), 128U * 4 * 2);
  EXPECT_EQ(packed_bytes(33, 3, DType::kFloat32), 64U * 3 * 4);
  EXPECT_EQ(packed_bytes(0, 3, DType::kFloat32), 0U);
}

TEST(PackedMatrix, SourceMayBeUnaligned) {
  const Source source = make_source(DType::kFloat32, 6);
  std::vector<std::byte> shifted(source.bytes.size() + 1);
  std::memcpy(shifted.data() + 1, source.bytes.data(), source.bytes.size());
  std::vector<std::byte> destination(packed_bytes(2, 3, DType::kFloat32));
  const PackedMatrix matrix = pack(shifted.data() + 1, DType::kFloat32, 2, 3, DType::kFloat32, destination);
  EXPECT_EQ(bits_at(matrix, 1, 2), std::bit_cast<std::uint32_t>(source.values[5]));
}

}  // namespace
}  // namespace sida

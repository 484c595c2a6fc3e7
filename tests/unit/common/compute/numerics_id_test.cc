#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/compute/backend.h"
#include "common/compute/cpu/cpu_backend.h"

namespace sida::compute {
namespace {

// Values that are the same with every standard library: multiples of 2^-21 from -4 to 4.
std::vector<float> values(std::size_t count, std::uint32_t seed) {
  std::vector<float> made(count);
  for (float& value : made) {
    seed = seed * 1664525U + 1013904223U;
    value = (static_cast<float>(seed >> 8U) - 0x1p23F) * 0x1p-21F;
  }
  return made;
}

std::vector<BFloat16> rounded(const std::vector<float>& from) {
  std::vector<BFloat16> made;
  for (float value : from) made.push_back(to_bfloat16(value));
  return made;
}

// FNV-1a.
std::uint64_t hash(std::span<const float> results) {
  std::uint64_t state = 0xcbf29ce484222325U;
  for (std::byte byte : std::as_bytes(results)) {
    state = (state ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3U;
  }
  return state;
}

constexpr std::int64_t kRows = 3;
constexpr std::int64_t kColumns = 96;

std::uint64_t hash_linear(Backend& backend, DType dtype) {
  const auto x = values(kRows * kColumns, 1);
  const auto x_bf16 = rounded(x);
  const auto weight = values(kColumns * kColumns, 2);
  alignas(64) static std::byte packed[kColumns * 128 * 4];
  const std::span used(packed, packed_bytes(kColumns, kColumns, dtype));
  const PackedMatrix matrix = pack(weight.data(), DType::kFloat32, kColumns, kColumns, dtype, used);
  std::vector<float> y(x.size());
  const void* rows = dtype == DType::kFloat32 ? static_cast<const void*>(x.data()) : x_bf16.data();
  backend.linear({rows, kRows, kColumns, dtype}, matrix, {y.data(), kRows, kColumns, DType::kFloat32});
  return hash(y);
}

std::uint64_t hash_rms_norm(Backend& backend) {
  const auto x = values(kRows * kColumns, 3);
  const auto weight = values(kColumns, 4);
  std::vector<float> y(x.size());
  backend.rms_norm({x.data(), kRows, kColumns, DType::kFloat32}, weight.data(), 1e-6F,
                   {y.data(), kRows, kColumns, DType::kFloat32});
  return hash(y);
}

std::uint64_t hash_attention(Backend& backend) {
  constexpr std::int64_t kKeys = 37;
  auto query = values(kRows * kColumns, 5);
  for (float& value : query) value *= 0.0625F;
  const auto key = values(kKeys * kColumns, 6);
  const auto value = values(kKeys * kColumns, 7);
  const auto bias = values(std::size_t{32} * 3, 8);
  std::vector<float> out(query.size());
  const Attention one{.query = {query.data(), kRows, kColumns, DType::kFloat32},
                      .key = {key.data(), kKeys, kColumns, DType::kFloat32},
                      .value = {value.data(), kKeys, kColumns, DType::kFloat32},
                      .position_bias = bias.data(),
                      .direction = Direction::kCausal,
                      .first_position = kKeys - kRows,
                      .heads = 3,
                      .out = {out.data(), kRows, kColumns, DType::kFloat32}};
  backend.attention(std::span(&one, 1));
  return hash(out);
}

std::uint64_t hash_gate(Backend& backend) {
  constexpr std::int64_t kExperts = 20;
  auto x = values(kRows * kColumns, 9);
  for (float& value : x) value *= 0.0625F;
  const auto weight = values(kExperts * kColumns, 10);
  alignas(64) static std::byte packed[kColumns * 32 * 4];
  const PackedMatrix matrix = pack(weight.data(), DType::kFloat32, kExperts, kColumns, DType::kFloat32, packed);
  std::vector<float> probabilities(kRows * kExperts);
  std::vector<std::int32_t> expert_ids(kRows);
  std::vector<float> weights(kRows);
  backend.gate({.x = {x.data(), kRows, kColumns, DType::kFloat32},
                .classifier = matrix,
                .bias = {},
                .probabilities = probabilities,
                .expert_ids = expert_ids,
                .weights = weights});
  return hash(probabilities);
}

// The order of additions behind cpu::kNumericsId, as the bits that it gives. When this fails, an order changed: raise
// the last number of kNumericsId, describe the new order in docs/numerics.md, and only then put the new hashes here.
TEST(NumericsId, BitsOfThisIdHaveNotChanged) {
  ASSERT_EQ(cpu::kNumericsId, 0x6370'7500'0000'0001U);
  for (const std::string& kernel : cpu_kernels()) {
    const auto backend = make_cpu_backend({.kernel = kernel}).value();
    EXPECT_EQ(hash_linear(*backend, DType::kFloat32), 0xa2dd'8a5a'6f7e'e679U) << kernel;
    EXPECT_EQ(hash_linear(*backend, DType::kBFloat16), 0x4adc'b9b9'1ad9'5042U) << kernel;
    EXPECT_EQ(hash_rms_norm(*backend), 0x30e0'b1b2'efe1'57f8U) << kernel;
    EXPECT_EQ(hash_attention(*backend), 0x2e0d'ac49'5b14'bad6U) << kernel;
    EXPECT_EQ(hash_gate(*backend), 0x5d5b'83c6'998c'ecaaU) << kernel;
  }
}

}  // namespace
}  // namespace sida::compute

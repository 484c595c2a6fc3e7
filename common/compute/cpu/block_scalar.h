// Block: sixteen fp32 lanes in plain C++. What the vector versions (block_avx2.h, block_avx512.h) must equal bit by
// bit.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "common/tensor/dtype.h"

namespace sida::compute::cpu {
namespace {

constexpr float kSmallestNormal = 0x1p-126F;

float flush_denormal(float value) {
  return std::fabs(value) < kSmallestNormal ? std::copysign(0.0F, value) : value;
}

// a * b + c as the AVX units compute it with denormals as zero and flushed, which is also one step of VDPBF16PS.
// The inputs are flushed already, and a and b are bf16 values. A result is flushed when, rounded to 24 bits, it is
// below the smallest normal number. fma() rounds to a coarser grid there, so one that it rounds up to that number is
// decided in double: the product is exact there, and the sum has bits to spare beside the boundary.
float fma_flushed(float a, float b, float c) {
  const float result = std::fma(a, b, c);
  if (std::fabs(result) > kSmallestNormal || std::isnan(result)) return result;
  if (std::fabs(result) < kSmallestNormal) return flush_denormal(result);
  const double exact = std::fma(static_cast<double>(a), static_cast<double>(b), static_cast<double>(c));
  return std::fabs(exact) < 0x1p-126 - 0x1p-151 ? std::copysign(0.0F, result) : result;
}

struct Block {
  float lane[16];

  // Rows and blocks of columns of one register tile.
  static constexpr int kTileRowsMax = 1;
  static constexpr int kTileRowsMaxFp32 = 1;
  static constexpr int tile_blocks(int /*rows*/) { return 4; }
  static constexpr bool kOnePass = true;

  static Block broadcast(float value) {
    Block r;
    for (float& lane : r.lane) lane = value;
    return r;
  }
  static Block load(const float* p) {
    return each([&](int i) { return p[i]; });
  }
  static Block load_bf16(const void* p) {
    BFloat16 values[16];
    std::memcpy(values, p, sizeof values);
    Block r;
    for (int i = 0; i < 16; ++i) r.lane[i] = to_float(values[i]);
    return r;
  }
  // The odd and the even bf16 of sixteen pairs, denormals as zero.
  static Block load_odd(const void* p) { return load_of_pairs(p, 1); }
  static Block load_even(const void* p) { return load_of_pairs(p, 0); }
  static Block broadcast_for_pairs(const float* p) { return broadcast(flush_denormal(*p)); }

  void store(float* p) const {
    for (int i = 0; i < 16; ++i) p[i] = lane[i];
  }
  void store_bf16(void* p) const {
    BFloat16 values[16];
    for (int i = 0; i < 16; ++i) values[i] = to_bfloat16(lane[i]);
    std::memcpy(p, values, sizeof values);
  }

  static Block fma(const Block& a, const Block& b, const Block& c) {
    return each([&](int i) { return std::fma(a.lane[i], b.lane[i], c.lane[i]); });
  }
  static Block fma_of_pairs(const Block& a, const Block& b, const Block& c) {
    return each([&](int i) { return fma_flushed(a.lane[i], b.lane[i], c.lane[i]); });
  }
  static Block add(const Block& a, const Block& b) {
    return each([&](int i) { return a.lane[i] + b.lane[i]; });
  }
  static Block subtract(const Block& a, const Block& b) {
    return each([&](int i) { return a.lane[i] - b.lane[i]; });
  }
  static Block multiply(const Block& a, const Block& b) {
    return each([&](int i) { return a.lane[i] * b.lane[i]; });
  }
  static Block divide(const Block& a, const Block& b) {
    return each([&](int i) { return a.lane[i] / b.lane[i]; });
  }
  // a > b ? a : b, so b where either is NaN.
  static Block max(const Block& a, const Block& b) {
    return each([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  // Zero where x < limit, else value.
  static Block zero_below(const Block& x, const Block& limit, const Block& value) {
    return each([&](int i) { return x.lane[i] < limit.lane[i] ? 0.0F : value.lane[i]; });
  }
  // 2^n from the bits of n + 1.5 * 2^23.
  static Block power_of_two(const Block& shifted) {
    return each(
        [&](int i) { return std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted.lane[i]) + 127U) << 23U); });
  }

  // Lanes are folded in halves: i with i + 8, i + 4, i + 2, i + 1.
  static float sum(Block a) {
    for (int half = 8; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) a.lane[i] = a.lane[i] + a.lane[i + half];
    }
    return a.lane[0];
  }
  static void sum_of_four(const Block (&a)[4], float* sums) {
    for (int i = 0; i < 4; ++i) sums[i] = sum(a[i]);
  }
  static float largest(const Block& a) {
    float result = a.lane[0];
    for (float value : a.lane) result = value > result ? value : result;
    return result;
  }

 private:
  template <typename F>
  static Block each(F f) {
    Block r;
    for (int i = 0; i < 16; ++i) r.lane[i] = f(i);
    return r;
  }
  static Block load_of_pairs(const void* p, int which) {
    BFloat16 values[32];
    std::memcpy(values, p, sizeof values);
    return each([&](int i) { return flush_denormal(to_float(values[2 * i + which])); });
  }
};

}  // namespace
}  // namespace sida::compute::cpu

// Block: sixteen fp32 lanes in two AVX2 registers. Meaning of every function: block_scalar.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace sida::compute::cpu {
namespace {

struct Block {
  __m256 lo, hi;

  static constexpr int kTileRowsMax = 6;
  static constexpr int kTileRowsMaxFp32 = 6;
  // Sixteen registers: at most twelve of accumulators.
  static constexpr int tile_blocks(int rows) { return rows == 1 ? 4 : rows <= 3 ? 2 : 1; }
  // A tile narrower than a panel passes over its weights several times, so they are read in chunks that stay in cache.
  static constexpr bool kOnePass = false;

  static Block broadcast(float value) { return {_mm256_set1_ps(value), _mm256_set1_ps(value)}; }
  static Block load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static Block load_bf16(const void* p) {
    const __m256i bits = _mm256_loadu_si256(static_cast<const __m256i*>(p));
    return {widen(_mm256_castsi256_si128(bits)), widen(_mm256_extracti128_si256(bits, 1))};
  }
  static Block load_odd(const void* p) {
    const __m256i mask = _mm256_set1_epi32(static_cast<int>(0xffff0000U));
    const auto* pairs = static_cast<const __m256i*>(p);
    return {_mm256_castsi256_ps(_mm256_and_si256(_mm256_loadu_si256(pairs), mask)),
            _mm256_castsi256_ps(_mm256_and_si256(_mm256_loadu_si256(pairs + 1), mask))};
  }
  static Block load_even(const void* p) {
    const auto* pairs = static_cast<const __m256i*>(p);
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_loadu_si256(pairs), 16)),
            _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_loadu_si256(pairs + 1), 16))};
  }
  static Block broadcast_for_pairs(const float* p) { return broadcast(*p); }

  void store(float* p) const {
    _mm256_storeu_ps(p, lo);
    _mm256_storeu_ps(p + 8, hi);
  }
  void store_bf16(void* p) const {
    // Packing works on 128-bit halves: put the quarters back in order.
    const __m256i packed = _mm256_packus_epi32(round_to_bf16(lo), round_to_bf16(hi));
    _mm256_storeu_si256(static_cast<__m256i*>(p), _mm256_permute4x64_epi64(packed, _MM_SHUFFLE(3, 1, 2, 0)));
  }

  static Block fma(Block a, Block b, Block c) {
    return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
  }
  static Block fma_of_pairs(Block a, Block b, Block c) { return fma(a, b, c); }
  static Block add(Block a, Block b) { return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
  static Block subtract(Block a, Block b) { return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)}; }
  static Block multiply(Block a, Block b) { return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
  static Block divide(Block a, Block b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
  static Block max(Block a, Block b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
  static Block zero_below(Block x, Block limit, Block value) {
    return {_mm256_and_ps(_mm256_cmp_ps(x.lo, limit.lo, _CMP_NLT_UQ), value.lo),
            _mm256_and_ps(_mm256_cmp_ps(x.hi, limit.hi, _CMP_NLT_UQ), value.hi)};
  }
  static Block power_of_two(Block shifted) { return {power_of_two(shifted.lo), power_of_two(shifted.hi)}; }

  static float sum(Block a) {
    const __m128 four = fold_to_four(a);
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  static void sum_of_four(const Block (&a)[4], float* sums) {
    const __m128 b0 = fold_to_four(a[0]);
    const __m128 b1 = fold_to_four(a[1]);
    const __m128 b2 = fold_to_four(a[2]);
    const __m128 b3 = fold_to_four(a[3]);
    const __m128 two01 = _mm_add_ps(_mm_movelh_ps(b0, b1), _mm_movehl_ps(b1, b0));
    const __m128 two23 = _mm_add_ps(_mm_movelh_ps(b2, b3), _mm_movehl_ps(b3, b2));
    const __m128 even = _mm_shuffle_ps(two01, two23, _MM_SHUFFLE(2, 0, 2, 0));
    const __m128 odd = _mm_shuffle_ps(two01, two23, _MM_SHUFFLE(3, 1, 3, 1));
    _mm_storeu_ps(sums, _mm_add_ps(even, odd));
  }
  static float largest(Block a) {
    const __m256 eight = _mm256_max_ps(a.lo, a.hi);
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
  }

 private:
  static __m128 fold_to_four(Block a) {
    const __m256 eight = _mm256_add_ps(a.lo, a.hi);
    return _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  }
  static __m256 widen(__m128i bits) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16)); }
  static __m256i round_to_bf16(__m256 value) {
    const __m256i bits = _mm256_castps_si256(value);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded =
        _mm256_srli_epi32(_mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
    const __m256 nan = _mm256_cmp_ps(value, value, _CMP_UNORD_Q);
    return _mm256_blendv_epi8(rounded, _mm256_set1_epi32(0x7fc0), _mm256_castps_si256(nan));
  }
  static __m256 power_of_two(__m256 shifted) {
    const __m256i exponent = _mm256_add_epi32(_mm256_castps_si256(shifted), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
  }
};

}  // namespace
}  // namespace sida::compute::cpu

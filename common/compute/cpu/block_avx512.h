// Block: sixteen fp32 lanes in one AVX-512 register. Meaning of every function: block_scalar.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace sida::compute::cpu {
namespace {

struct Block {
  __m512 v;

  static constexpr int kTileRowsMax = 6;
  static constexpr int kTileRowsMaxFp32 = 8;
  static constexpr int tile_blocks(int /*rows*/) { return 4; }
  static constexpr bool kOnePass = true;

  static Block broadcast(float value) { return {_mm512_set1_ps(value)}; }
  static Block load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static Block load_bf16(const void* p) {
    const __m256i bits = _mm256_loadu_si256(static_cast<const __m256i*>(p));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))};
  }
  static Block load_odd(const void* p) {
    const __m512i mask = _mm512_set1_epi32(static_cast<int>(0xffff0000U));
    return {_mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(p), mask))};
  }
  static Block load_even(const void* p) { return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(p), 16))}; }
  static Block broadcast_for_pairs(const float* p) { return broadcast(*p); }

  void store(float* p) const { _mm512_storeu_ps(p, v); }
  // Integer rounding to nearest even: VCVTNEPS2BF16 would flush denormals.
  void store_bf16(void* p) const {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    rounded = _mm512_srli_epi32(rounded, 16);
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    rounded = _mm512_mask_mov_epi32(rounded, nan, _mm512_set1_epi32(0x7fc0));
    _mm256_storeu_si256(static_cast<__m256i*>(p), _mm512_cvtepi32_epi16(rounded));
  }

  static Block fma(Block a, Block b, Block c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  static Block fma_of_pairs(Block a, Block b, Block c) { return fma(a, b, c); }
  static Block add(Block a, Block b) { return {_mm512_add_ps(a.v, b.v)}; }
  static Block subtract(Block a, Block b) { return {_mm512_sub_ps(a.v, b.v)}; }
  static Block multiply(Block a, Block b) { return {_mm512_mul_ps(a.v, b.v)}; }
  static Block divide(Block a, Block b) { return {_mm512_div_ps(a.v, b.v)}; }
  static Block max(Block a, Block b) { return {_mm512_max_ps(a.v, b.v)}; }
  static Block zero_below(Block x, Block limit, Block value) {
    return {_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x.v, limit.v, _CMP_NLT_UQ), value.v)};
  }
  static Block power_of_two(Block shifted) {
    const __m512i exponent = _mm512_add_epi32(_mm512_castps_si512(shifted.v), _mm512_set1_epi32(127));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23))};
  }

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
    const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
  }

 private:
  static __m128 fold_to_four(Block a) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
    return _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  }
};

}  // namespace
}  // namespace sida::compute::cpu

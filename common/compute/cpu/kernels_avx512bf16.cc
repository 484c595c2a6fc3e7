#include "common/compute/cpu/block_avx512.h"
// The block first: the kernels are written over it.
#include "common/compute/cpu/attention_kernels.h"
#include "common/compute/cpu/linear_kernels.h"

namespace sida::compute::cpu {
namespace {

// bf16 panels by VDPBF16PS.
struct PairPanels {
  static constexpr std::int64_t kColumns = 64;
  static constexpr int kLines = 4;
  static constexpr int kRowsMax = 6;  // 24 of 32 registers accumulate.
  static constexpr bool kOnePass = true;
  using X = std::uint16_t;

  static std::int64_t steps(std::int64_t inputs) { return (inputs + 1) / 2; }
  static constexpr std::int64_t chunk_steps(std::int64_t tiles) { return pair_chunk_steps(tiles); }
  static const std::uint16_t* x(const LinearTask& task, std::int64_t row, std::int64_t step) {
    return static_cast<const std::uint16_t*>(task.x) + row * task.x_stride + 2 * step;
  }
  static const void* weights(const LinearTask& task, std::int64_t panel, std::int64_t step) {
    return static_cast<const std::uint16_t*>(task.weight) + (panel * steps(task.inputs) + step) * 2 * kColumns;
  }
  template <int Rows, class Ahead>
  static void tile(const TileInput<X>& in) {
    constexpr int kBlocks = 4;
    const auto* w = static_cast<const std::uint16_t*>(in.weights);
    const std::uint16_t* x = in.x;
    float* to = in.accumulators;
    __m512 acc[Rows][kBlocks];
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
      for (int b = 0; b < kBlocks; ++b) acc[r][b] = _mm512_loadu_ps(to + r * kColumns + b * kLanes);
    }
    for (std::int64_t step = 0; step < in.steps; ++step, w += 2 * kColumns, x += 2) {
      prefetch<Ahead>(w, in.prefetch_bytes);
      __m512i pairs[kBlocks];
#pragma GCC unroll 4
      for (int b = 0; b < kBlocks; ++b) pairs[b] = _mm512_loadu_si512(w + 2 * b * kLanes);
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) {
        const __m512i value = broadcast_pair(x + r * in.x_stride);
#pragma GCC unroll 4
        for (int b = 0; b < kBlocks; ++b) acc[r][b] = _mm512_dpbf16_ps(acc[r][b], (__m512bh)pairs[b], (__m512bh)value);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
      for (int b = 0; b < kBlocks; ++b) _mm512_storeu_ps(to + r * kColumns + b * kLanes, acc[r][b]);
    }
  }

 private:
  static __m512i broadcast_pair(const std::uint16_t* x) {
    int pair = 0;
    __builtin_memcpy(&pair, x, sizeof pair);
    return _mm512_set1_epi32(pair);
  }
};

}  // namespace

const KernelTable kAvx512Bf16Kernels = {
    .bf16_rows_as_fp32 = false,
    .linear_fp32 = linear<Float32Panels>,
    .linear_bf16 = linear<PairPanels>,
    .rms_norm = rms_norm,
    .attention = attention,
    .softmax = softmax,
};

}  // namespace sida::compute::cpu

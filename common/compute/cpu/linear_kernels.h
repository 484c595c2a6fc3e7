// y = W x over packed panels, for one instruction set. Include after one block_*.h.
#pragma once

#include "common/compute/cpu/row_kernels.h"

namespace sida::compute::cpu {
namespace {

// Steps along the inputs after which many rows go back to the start of the panel: what they share stays in cache.
constexpr std::int64_t kChunkSteps = 384;

// How one matrix dtype walks a panel. Every policy has: kColumns; kRowsMax; kOnePass; steps(inputs);
// x(task, row, step), the address of a row's element for a step; weights(task, panel, step); and
// tile<Rows, Prefetch>(weights, x, x_stride, steps, accumulators), which adds `steps` steps to accumulators
// [Rows, kColumns].
struct Float32Panels {
  static constexpr std::int64_t kColumns = 32;
  static constexpr int kRowsMax = Block::kTileRowsMaxFp32;
  static constexpr bool kOnePass = Block::kOnePass;
  using X = float;

  static std::int64_t steps(std::int64_t inputs) { return inputs; }
  static const float* x(const LinearTask& task, std::int64_t row, std::int64_t step) {
    return static_cast<const float*>(task.x) + row * task.x_stride + step;
  }
  static const void* weights(const LinearTask& task, std::int64_t panel, std::int64_t step) {
    return static_cast<const float*>(task.weight) + (panel * task.inputs + step) * kColumns;
  }
  template <int Rows, bool Prefetch>
  static void tile(const void* weights, const float* x, std::int64_t x_stride, std::int64_t steps, float* acc) {
    constexpr int kBlocks = Block::tile_blocks(Rows) < 2 ? Block::tile_blocks(Rows) : 2;
    for (int column = 0; column < kColumns; column += kBlocks * kLanes) {
      fma_tile<Rows, kBlocks, Prefetch>(
          {static_cast<const float*>(weights) + column, kColumns, x, x_stride, steps, acc + column, kColumns});
    }
  }
};

// bf16 panels without a bf16 instruction: the odd element of each pair is multiplied and added first, then the even
// one, as VDPBF16PS does.
struct WidenedPairPanels {
  static constexpr std::int64_t kColumns = 64;
  static constexpr int kRowsMax = Block::kTileRowsMax;
  static constexpr bool kOnePass = Block::kOnePass;
  using X = float;

  static std::int64_t steps(std::int64_t inputs) { return (inputs + 1) / 2; }
  static const float* x(const LinearTask& task, std::int64_t row, std::int64_t step) {
    return static_cast<const float*>(task.x) + row * task.x_stride + 2 * step;
  }
  static const void* weights(const LinearTask& task, std::int64_t panel, std::int64_t step) {
    return static_cast<const std::uint16_t*>(task.weight) + (panel * steps(task.inputs) + step) * 2 * kColumns;
  }
  template <int Rows, bool Prefetch>
  static void tile(const void* weights, const float* x, std::int64_t x_stride, std::int64_t steps, float* acc) {
    constexpr int kBlocks = Block::tile_blocks(Rows);
    for (int column = 0; column < kColumns; column += kBlocks * kLanes) {
      pair_tile<Rows, kBlocks, Prefetch>(static_cast<const std::uint16_t*>(weights) + 2 * column, x, x_stride, steps,
                                         acc + column);
    }
  }

 private:
  template <int Rows, int Blocks, bool Prefetch>
  static void pair_tile(const std::uint16_t* w, const float* x, std::int64_t x_stride, std::int64_t steps, float* to) {
    Block acc[Rows][Blocks];
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
      for (int b = 0; b < Blocks; ++b) acc[r][b] = Block::load(to + r * kColumns + b * kLanes);
    }
    for (std::int64_t step = 0; step < steps; ++step, w += 2 * kColumns, x += 2) {
      if constexpr (Prefetch) prefetch_lines<Blocks>(w);
      Block half[Blocks];
#pragma GCC unroll 4
      for (int b = 0; b < Blocks; ++b) half[b] = Block::load_odd(w + 2 * b * kLanes);
      add_products<Rows, Blocks>(half, x + 1, x_stride, acc);
#pragma GCC unroll 4
      for (int b = 0; b < Blocks; ++b) half[b] = Block::load_even(w + 2 * b * kLanes);
      add_products<Rows, Blocks>(half, x, x_stride, acc);
    }
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
      for (int b = 0; b < Blocks; ++b) acc[r][b].store(to + r * kColumns + b * kLanes);
    }
  }

  template <int Rows, int Blocks>
  static inline __attribute__((always_inline)) void add_products(const Block (&weights)[Blocks], const float* x,
                                                                 std::int64_t x_stride, Block (&acc)[Rows][Blocks]) {
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const Block value = Block::broadcast_for_pairs(x + r * x_stride);
#pragma GCC unroll 4
      for (int b = 0; b < Blocks; ++b) acc[r][b] = Block::fma_of_pairs(weights[b], value, acc[r][b]);
    }
  }
};

template <class Panels, int Rows, bool Prefetch>
void tile_of(int rows, const void* weights, const typename Panels::X* x, std::int64_t x_stride, std::int64_t steps,
             float* acc) {
  if constexpr (Rows > 0) {
    if (rows == Rows) return Panels::template tile<Rows, Prefetch>(weights, x, x_stride, steps, acc);
    tile_of<Panels, Rows - 1, Prefetch>(rows, weights, x, x_stride, steps, acc);
  }
}

// Rounds a panel's accumulators out to y.
template <class Panels>
void store_panel(const LinearTask& task, std::int64_t panel, std::int64_t first_row, std::int64_t rows) {
  const Block zero = Block::broadcast(0.0F);
  const std::int64_t first = panel * Panels::kColumns;
  const std::int64_t columns = smaller(Panels::kColumns, task.outputs - first);
  for (std::int64_t row = 0; row < rows; ++row) {
    void* y = row_at(task.y, (first_row + row) * task.outputs, task.y_is_bf16);
    for (std::int64_t column = 0; column < columns; column += kLanes) {
      Block value = Block::load(task.accumulators + row * Panels::kColumns + column);
      if (task.relu) value = Block::max(zero, value);
      store_result(value, y, first + column, columns - column, task.y_is_bf16);
    }
  }
}

// One panel for up to kRowBlock rows. Rows are split evenly into tiles; each accumulator is one chain over all steps
// whatever the tile, since stopping at a chunk stores it exactly.
template <class Panels>
void run_panel(const LinearTask& task, std::int64_t panel, std::int64_t first_row, std::int64_t rows) {
  __builtin_memset(task.accumulators, 0, static_cast<std::size_t>(rows * Panels::kColumns) * sizeof(float));
  const std::int64_t steps = Panels::steps(task.inputs);
  const std::int64_t tiles = (rows + Panels::kRowsMax - 1) / Panels::kRowsMax;
  const std::int64_t chunk = tiles == 1 && Panels::kOnePass ? steps : kChunkSteps;
  for (std::int64_t step = 0; step < steps; step += chunk) {
    const std::int64_t count = smaller(chunk, steps - step);
    const void* weights = Panels::weights(task, panel, step);
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
      const std::int64_t row = tile * rows / tiles;
      const int tile_rows = static_cast<int>((tile + 1) * rows / tiles - row);
      const auto* x = Panels::x(task, first_row + row, step);
      float* acc = task.accumulators + row * Panels::kColumns;
      if (tile == 0) {
        tile_of<Panels, Panels::kRowsMax, true>(tile_rows, weights, x, task.x_stride, count, acc);
      } else {
        tile_of<Panels, Panels::kRowsMax, false>(tile_rows, weights, x, task.x_stride, count, acc);
      }
    }
  }
  store_panel<Panels>(task, panel, first_row, rows);
}

template <class Panels>
void linear(const LinearTask& task) {
  for (std::int64_t row = 0; row < task.rows; row += kRowBlock) {
    for (std::int64_t panel = task.first_panel; panel < task.last_panel; ++panel) {
      run_panel<Panels>(task, panel, row, smaller(kRowBlock, task.rows - row));
    }
  }
}

}  // namespace
}  // namespace sida::compute::cpu

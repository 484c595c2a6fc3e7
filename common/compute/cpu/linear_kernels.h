// y = W x over packed panels, for one instruction set. Include after one block_*.h.
#pragma once

#include "common/compute/cpu/row_kernels.h"

namespace sida::compute::cpu {
namespace {

// Steps along the inputs that all tiles of rows make before the next ones: what they share stays in the first-level
// cache. Measured (docs/benchmarks.md): 64 or 96; 384 costs a third at 16 rows.
constexpr std::int64_t kChunkSteps = 64;

// How far ahead the first tile of a panel prefetches (measured).
constexpr std::int64_t kNearBytes = 1024;

template <class X>
struct TileInput {
  const void* weights;  // First step of this chunk.
  const X* x;           // First row and step of this tile.
  std::int64_t x_stride;
  std::int64_t steps;
  float* accumulators;  // [rows, kColumns]
  std::int64_t prefetch_bytes;
};

// How one matrix dtype walks a panel. Every policy has: kColumns; kRowsMax; kOnePass; steps(inputs);
// x(task, row, step), the address of a row's element for a step; weights(task, panel, step); kLines, the cache lines of
// one step; and tile<Rows, Ahead>(input), which adds the input's steps to its accumulators.
struct Float32Panels {
  static constexpr std::int64_t kColumns = 32;
  static constexpr int kLines = 2;
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
  template <int Rows, class Ahead>
  static void tile(const TileInput<X>& in) {
    constexpr int kBlocks = Block::tile_blocks(Rows) < 2 ? Block::tile_blocks(Rows) : 2;
    const auto* w = static_cast<const float*>(in.weights);
    TileOperands t{w, kColumns, in.x, in.x_stride, in.steps, in.accumulators, kColumns, in.prefetch_bytes};
    fma_tile<Rows, kBlocks, Ahead>(t);
    for (int column = kBlocks * kLanes; column < kColumns; column += kBlocks * kLanes) {
      t.w = w + column;
      t.accumulators = in.accumulators + column;
      fma_tile<Rows, kBlocks, NoPrefetch>(t);
    }
  }
};

// bf16 panels without a bf16 instruction: the odd element of each pair is multiplied and added first, then the even
// one, as VDPBF16PS does.
struct WidenedPairPanels {
  static constexpr std::int64_t kColumns = 64;
  static constexpr int kLines = 4;
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
  template <int Rows, class Ahead>
  static void tile(const TileInput<X>& in) {
    constexpr int kBlocks = Block::tile_blocks(Rows);
    pair_tile<Rows, kBlocks, Ahead>(in, 0);
    for (int column = kBlocks * kLanes; column < kColumns; column += kBlocks * kLanes) {
      pair_tile<Rows, kBlocks, NoPrefetch>(in, column);
    }
  }

 private:
  template <int Rows, int Blocks, class Ahead>
  static void pair_tile(const TileInput<X>& in, int column) {
    const std::uint16_t* w = static_cast<const std::uint16_t*>(in.weights) + 2 * column;
    const float* x = in.x;
    float* to = in.accumulators + column;
    Block acc[Rows][Blocks];
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
      for (int b = 0; b < Blocks; ++b) acc[r][b] = Block::load(to + r * kColumns + b * kLanes);
    }
    for (std::int64_t step = 0; step < in.steps; ++step, w += 2 * kColumns, x += 2) {
      prefetch<Ahead>(w, in.prefetch_bytes);
      Block half[Blocks];
#pragma GCC unroll 4
      for (int b = 0; b < Blocks; ++b) half[b] = Block::load_odd(w + 2 * b * kLanes);
      add_products<Rows, Blocks>(half, x + 1, in.x_stride, acc);
#pragma GCC unroll 4
      for (int b = 0; b < Blocks; ++b) half[b] = Block::load_even(w + 2 * b * kLanes);
      add_products<Rows, Blocks>(half, x, in.x_stride, acc);
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

template <class Panels, class Ahead, int Rows = Panels::kRowsMax>
void run_tile(int rows, const TileInput<typename Panels::X>& input) {
  if constexpr (Rows > 0) {
    if (rows == Rows) return Panels::template tile<Rows, Ahead>(input);
    run_tile<Panels, Ahead, Rows - 1>(rows, input);
  }
}

// Tile `tile` of `tiles` over one chunk. Tiles after the first share the fetching of the next chunk.
template <class Panels>
void run_tile_of(std::int64_t tile, std::int64_t tiles, int rows, TileInput<typename Panels::X> input,
                 std::int64_t chunk_bytes) {
  if (tile == 0) {
    input.prefetch_bytes = kNearBytes;
    return run_tile<Panels, Prefetch<Panels::kLines, false>>(rows, input);
  }
  const std::int64_t shares = smaller(tiles - 1, Panels::kLines);
  const std::int64_t lines = (Panels::kLines + shares - 1) / shares;
  const std::int64_t first_line = (tile - 1) * lines;
  input.prefetch_bytes = chunk_bytes + 64 * first_line;
  if (first_line >= Panels::kLines) {
    run_tile<Panels, NoPrefetch>(rows, input);
  } else if (lines == 1) {
    run_tile<Panels, Prefetch<1, true>>(rows, input);
  } else if (lines == 2) {
    run_tile<Panels, Prefetch<2, true>>(rows, input);
  } else {
    run_tile<Panels, Prefetch<4, true>>(rows, input);
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
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
      const std::int64_t row = tile * rows / tiles;
      const int tile_rows = static_cast<int>((tile + 1) * rows / tiles - row);
      run_tile_of<Panels>(tile, tiles, tile_rows,
                          {Panels::weights(task, panel, step), Panels::x(task, first_row + row, step), task.x_stride,
                           count, task.accumulators + row * Panels::kColumns, 0},
                          chunk * Panels::kLines * 64);
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

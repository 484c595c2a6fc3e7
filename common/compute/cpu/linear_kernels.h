// y = W x over packed panels, for one instruction set. Include after one block_*.h.
#pragma once

#include "common/compute/cpu/row_kernels.h"

namespace sida::compute::cpu {
namespace {

// Weights are read from memory once per call, while tiles compute: that pays only if memory is never left waiting. So
// every tile prefetches, at the pace at which it computes. The distances and chunks are measured (docs/benchmarks.md).
//
// One tile of rows walks a panel once, and prefetches a little ahead of itself. The less it computes per step, the
// nearer.
constexpr std::int64_t near_bytes(int rows) {
  return rows <= 2 ? 1024 : 4096;
}
// Several tiles walk one chunk of a panel after another, so that it comes from the first-level cache for all but the
// first. Meanwhile they fetch the next chunk, each its share of the lines of every step.
constexpr std::int64_t pair_chunk_steps(std::int64_t tiles) {
  return tiles <= 2 ? 48 : tiles <= 4 ? 32 : 128;
}
constexpr std::int64_t kFloat32ChunkSteps = 128;
constexpr std::int64_t kFarBytesMin = 12288;  // A shorter chunk alone would come too late.

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
// chunk_steps(tiles); x(task, row, step), the address of a row's element for a step; weights(task, panel, step);
// kLines, the cache lines of one step; and tile<Rows, Ahead>(input), which adds the input's steps to its accumulators.
// A tile narrower than the panel passes over its columns group by group; every block of lanes is a cache line wide, so
// that a tile which is to prefetch whole steps prefetches the lines of each group while it computes that group.
struct Float32Panels {
  static constexpr std::int64_t kColumns = 32;
  static constexpr int kLines = 2;
  static constexpr int kRowsMax = Block::kTileRowsMaxFp32;
  static constexpr bool kOnePass = Block::kOnePass;
  using X = float;

  static std::int64_t steps(std::int64_t inputs) { return inputs; }
  static constexpr std::int64_t chunk_steps(std::int64_t /*tiles*/) { return kFloat32ChunkSteps; }
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
    constexpr bool kByGroup = Ahead::kLines > kBlocks;
    fma_tile<Rows, kBlocks, Prefetch<kByGroup ? kBlocks : Ahead::kLines>>(t);
    for (int column = kBlocks * kLanes; column < kColumns; column += kBlocks * kLanes) {
      t.w = w + column;
      t.accumulators = in.accumulators + column;
      fma_tile<Rows, kBlocks, Prefetch<kByGroup ? kBlocks : 0>>(t);
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
  static constexpr std::int64_t chunk_steps(std::int64_t tiles) { return pair_chunk_steps(tiles); }
  static const float* x(const LinearTask& task, std::int64_t row, std::int64_t step) {
    return static_cast<const float*>(task.x) + row * task.x_stride + 2 * step;
  }
  static const void* weights(const LinearTask& task, std::int64_t panel, std::int64_t step) {
    return static_cast<const std::uint16_t*>(task.weight) + (panel * steps(task.inputs) + step) * 2 * kColumns;
  }
  template <int Rows, class Ahead>
  static void tile(const TileInput<X>& in) {
    constexpr int kBlocks = Block::tile_blocks(Rows);
    constexpr bool kByGroup = Ahead::kLines > kBlocks;
    pair_tile<Rows, kBlocks, Prefetch<kByGroup ? kBlocks : Ahead::kLines>>(in, 0);
    for (int column = kBlocks * kLanes; column < kColumns; column += kBlocks * kLanes) {
      pair_tile<Rows, kBlocks, Prefetch<kByGroup ? kBlocks : 0>>(in, column);
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

// Tile `tile` of `tiles` over one chunk, which prefetches its share of the lines `far_bytes` ahead.
template <class Panels>
void run_tile_of(std::int64_t tile, std::int64_t tiles, int rows, TileInput<typename Panels::X> input,
                 std::int64_t far_bytes) {
  const std::int64_t sharing = smaller(tiles, Panels::kLines);
  const std::int64_t first_line = smaller(tile, sharing) * Panels::kLines / sharing;
  const std::int64_t lines = smaller(tile + 1, sharing) * Panels::kLines / sharing - first_line;
  input.prefetch_bytes = far_bytes + 64 * first_line;
  if (lines == 0) {
    run_tile<Panels, NoPrefetch>(rows, input);
  } else if (lines == 1) {
    run_tile<Panels, Prefetch<1>>(rows, input);
  } else if (lines == 2) {
    run_tile<Panels, Prefetch<2>>(rows, input);
  } else {
    run_tile<Panels, Prefetch<4>>(rows, input);
  }
}

// Rows [first_row, first_row + rows) of the task, whose accumulators for one panel begin at `accumulators`.
struct TileRows {
  std::int64_t first_row;
  std::int64_t rows;
  float* accumulators;
};

// Asks for the part of y that a tile is about to write: with many rows y is in no cache near, and stores would wait
// (measured: 1 to 2 % from 128 rows of fp32).
template <class Panels>
void prefetch_results(const LinearTask& task, std::int64_t panel, const TileRows& tile) {
  const std::int64_t bytes = Panels::kColumns * (task.y_is_bf16 ? 2 : 4);
  for (std::int64_t row = 0; row < tile.rows; ++row) {
    const void* y = row_at(task.y, (tile.first_row + row) * task.outputs + panel * Panels::kColumns, task.y_is_bf16);
    for (std::int64_t line = 0; line < bytes; line += 64) {
      __builtin_prefetch(static_cast<const char*>(y) + line, /*for writing=*/1);
    }
  }
}

// Rounds accumulators out to y.
template <class Panels>
void store_results(const LinearTask& task, std::int64_t panel, const TileRows& tile) {
  const Block zero = Block::broadcast(0.0F);
  const std::int64_t first = panel * Panels::kColumns;
  const std::int64_t columns = smaller(Panels::kColumns, task.outputs - first);
  for (std::int64_t row = 0; row < tile.rows; ++row) {
    void* y = row_at(task.y, (tile.first_row + row) * task.outputs, task.y_is_bf16);
    for (std::int64_t column = 0; column < columns; column += kLanes) {
      Block value = Block::load(tile.accumulators + row * Panels::kColumns + column);
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
  const bool one_pass = tiles == 1 && Panels::kOnePass;
  const std::int64_t chunk = one_pass ? steps : Panels::chunk_steps(tiles);
  const std::int64_t far_bytes =
      one_pass ? near_bytes(static_cast<int>(rows)) : larger(chunk * Panels::kLines * 64, kFarBytesMin);
  for (std::int64_t step = 0; step < steps; step += chunk) {
    const std::int64_t count = smaller(chunk, steps - step);
    const bool is_last = step + count == steps;
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
      const std::int64_t row = tile * rows / tiles;
      const TileRows part{first_row + row, (tile + 1) * rows / tiles - row, task.accumulators + row * Panels::kColumns};
      if (is_last) prefetch_results<Panels>(task, panel, part);
      run_tile_of<Panels>(tile, tiles, static_cast<int>(part.rows),
                          {Panels::weights(task, panel, step), Panels::x(task, part.first_row, step), task.x_stride,
                           count, part.accumulators, 0},
                          far_bytes);
      if (is_last) store_results<Panels>(task, panel, part);
    }
  }
}

template <class Panels>
void linear(const LinearTask& task) {
  const std::int64_t blocks = (task.rows + kRowBlock - 1) / kRowBlock;
  for (std::int64_t block = 0; block < blocks; ++block) {
    const std::int64_t first_row = block * task.rows / blocks;
    const std::int64_t rows = (block + 1) * task.rows / blocks - first_row;
    for (std::int64_t panel = task.first_panel; panel < task.last_panel; ++panel) {
      run_panel<Panels>(task, panel, first_row, rows);
    }
  }
}

}  // namespace
}  // namespace sida::compute::cpu

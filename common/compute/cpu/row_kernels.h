// What the kernels of one instruction set share, over its Block: partial blocks, the register tile, softmax, norm.
// Include after one block_*.h.
#pragma once

#include <cstdint>

#include "common/compute/cpu/exponential.h"
#include "common/compute/cpu/kernel_table.h"

namespace sida::compute::cpu {
namespace {

std::int64_t smaller(std::int64_t a, std::int64_t b) {
  return a < b ? a : b;
}
std::int64_t larger(std::int64_t a, std::int64_t b) {
  return a < b ? b : a;
}

// The first `count` < 16 of a block; the rest is zero.
Block load_some(const float* p, std::int64_t count) {
  float lanes[kLanes] = {};
  __builtin_memcpy(lanes, p, static_cast<std::size_t>(count) * sizeof(float));
  return Block::load(lanes);
}

Block load_some_bf16(const std::uint16_t* p, std::int64_t count) {
  std::uint16_t lanes[kLanes] = {};
  __builtin_memcpy(lanes, p, static_cast<std::size_t>(count) * sizeof(std::uint16_t));
  return Block::load_bf16(lanes);
}

// Writes up to sixteen results to element `index` of a row of fp32 or bf16.
void store_result(Block value, void* row, std::int64_t index, std::int64_t count, bool as_bf16) {
  if (as_bf16) {
    auto* to = static_cast<std::uint16_t*>(row) + index;
    if (count >= kLanes) return value.store_bf16(to);
    std::uint16_t lanes[kLanes];
    value.store_bf16(lanes);
    __builtin_memcpy(to, lanes, static_cast<std::size_t>(count) * sizeof(std::uint16_t));
  } else {
    auto* to = static_cast<float*>(row) + index;
    if (count >= kLanes) return value.store(to);
    float lanes[kLanes];
    value.store(lanes);
    __builtin_memcpy(to, lanes, static_cast<std::size_t>(count) * sizeof(float));
  }
}

void* row_at(void* base, std::int64_t element, bool is_bf16) {
  return static_cast<char*>(base) + element * (is_bf16 ? 2 : 4);
}

const void* row_at(const void* base, std::int64_t element, bool is_bf16) {
  return static_cast<const char*>(base) + element * (is_bf16 ? 2 : 4);
}

// How many cache lines of weights a tile asks for per step before they are needed.
template <int LinesPerStep>
struct Prefetch {
  static constexpr int kLines = LinesPerStep;
};
using NoPrefetch = Prefetch<0>;

template <class Ahead>
void prefetch(const void* at, std::int64_t bytes) {
  const char* ahead = static_cast<const char*>(at) + bytes;
#pragma GCC unroll 4
  for (int line = 0; line < Ahead::kLines; ++line) __builtin_prefetch(ahead + 64 * line);
}

// acc[row][column] = fma(w[step][column], x[row][step], acc[row][column]) for step = 0, 1, ...: Rows rows, Blocks
// blocks of columns, each accumulator one chain. Rows of w, x and acc are *_stride floats apart.
struct TileOperands {
  const float* w;
  std::int64_t w_stride;
  const float* x;
  std::int64_t x_stride;
  std::int64_t steps;
  float* accumulators;
  std::int64_t accumulator_stride;
  std::int64_t prefetch_bytes = 0;
};

template <int Rows, int Blocks, class Ahead>
void fma_tile(const TileOperands& t) {
  Block acc[Rows][Blocks];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int b = 0; b < Blocks; ++b) acc[r][b] = Block::load(t.accumulators + r * t.accumulator_stride + b * kLanes);
  }
  const float* w = t.w;
  for (std::int64_t step = 0; step < t.steps; ++step, w += t.w_stride) {
    prefetch<Ahead>(w, t.prefetch_bytes);
    Block weights[Blocks];
#pragma GCC unroll 4
    for (int b = 0; b < Blocks; ++b) weights[b] = Block::load(w + b * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const Block x = Block::broadcast(t.x[r * t.x_stride + step]);
#pragma GCC unroll 4
      for (int b = 0; b < Blocks; ++b) acc[r][b] = Block::fma(weights[b], x, acc[r][b]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int b = 0; b < Blocks; ++b) acc[r][b].store(t.accumulators + r * t.accumulator_stride + b * kLanes);
  }
}

// scores[0, count) becomes e^(score - largest), scores up to the next multiple of kLanes become 0. Returns their sum.
// The row has room for whole blocks.
float exponentials(float* scores, std::int64_t count) {
  const std::int64_t padded = round_up_to_lanes(count);
  for (std::int64_t i = count; i < padded; ++i) scores[i] = -__builtin_inff();
  Block largest = Block::load(scores);
  for (std::int64_t i = kLanes; i < padded; i += kLanes) largest = Block::max(largest, Block::load(scores + i));
  const Block shift = Block::broadcast(Block::largest(largest));
  Block sum = Block::broadcast(0.0F);
  for (std::int64_t i = 0; i < padded; i += kLanes) {
    const Block e = exp_of_nonpositive(Block::subtract(Block::load(scores + i), shift));
    e.store(scores + i);
    sum = Block::add(sum, e);
  }
  // -inf - -inf: a row of nothing but -inf is NaN throughout, but the padding must not be.
  for (std::int64_t i = count; i < padded; ++i) scores[i] = 0.0F;
  return Block::sum(sum);
}

// Softmax in place. The row has room for whole blocks.
void softmax(float* row, std::int64_t count) {
  const Block sum = Block::broadcast(exponentials(row, count));
  for (std::int64_t i = 0; i < count; i += kLanes) Block::divide(Block::load(row + i), sum).store(row + i);
}

void rms_norm(const RmsNormTask& task) {
  const std::int64_t whole = task.columns / kLanes * kLanes;
  const std::int64_t rest = task.columns - whole;
  for (std::int64_t row = 0; row < task.rows; ++row) {
    const float* x = task.x + row * task.columns;
    Block squares = Block::broadcast(0.0F);
    for (std::int64_t i = 0; i < whole; i += kLanes) {
      const Block v = Block::load(x + i);
      squares = Block::fma(v, v, squares);
    }
    if (rest > 0) {
      const Block v = load_some(x + whole, rest);
      squares = Block::fma(v, v, squares);
    }
    const float mean = Block::sum(squares) / static_cast<float>(task.columns);
    const Block scale = Block::broadcast(1.0F / __builtin_sqrtf(mean + task.epsilon));
    void* y = row_at(task.y, row * task.columns, task.y_is_bf16);
    for (std::int64_t i = 0; i < whole; i += kLanes) {
      const Block normed = Block::multiply(Block::load(x + i), scale);
      store_result(Block::multiply(normed, Block::load(task.weight + i)), y, i, kLanes, task.y_is_bf16);
    }
    if (rest > 0) {
      const Block normed = Block::multiply(load_some(x + whole, rest), scale);
      store_result(Block::multiply(normed, load_some(task.weight + whole, rest)), y, whole, rest, task.y_is_bf16);
    }
  }
}

}  // namespace
}  // namespace sida::compute::cpu

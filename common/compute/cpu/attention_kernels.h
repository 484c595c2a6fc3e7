// One head of one sequence's attention, for one instruction set. Include after one block_*.h.
#pragma once

#include "common/compute/cpu/row_kernels.h"

namespace sida::compute::cpu {
namespace {

// The head's rows as fp32 with whole blocks: the caller's own where they are so already, else a copy.
struct HeadRows {
  const float* data;
  std::int64_t stride;
};

void widen_row(const void* from, bool is_bf16, std::int64_t count, float* to) {
  for (std::int64_t i = 0; i < count; i += kLanes) {
    const std::int64_t n = smaller(kLanes, count - i);
    if (is_bf16) {
      const auto* p = static_cast<const std::uint16_t*>(from) + i;
      (n == kLanes ? Block::load_bf16(p) : load_some_bf16(p, n)).store(to + i);
    } else {
      const auto* p = static_cast<const float*>(from) + i;
      (n == kLanes ? Block::load(p) : load_some(p, n)).store(to + i);
    }
  }
}

HeadRows head_rows(const AttentionTask& task, const void* rows, float* copy) {
  if (!task.inputs_are_bf16 && task.head_dim % kLanes == 0) return {static_cast<const float*>(rows), task.row_stride};
  const std::int64_t width = round_up_to_lanes(task.head_dim);
  for (std::int64_t key = 0; key < task.keys; ++key) {
    const void* from = row_at(rows, key * task.row_stride, task.inputs_are_bf16);
    widen_row(from, task.inputs_are_bf16, task.head_dim, copy + key * width);
  }
  return {copy, width};
}

// q . k for one key: sixteen lanes along the head, folded at the end.
Block dot_lanes(const float* query, const float* key, std::int64_t width) {
  Block sum = Block::broadcast(0.0F);
  for (std::int64_t i = 0; i < width; i += kLanes) sum = Block::fma(Block::load(query + i), Block::load(key + i), sum);
  return sum;
}

void score_keys(const float* query, const HeadRows& keys, std::int64_t width, std::int64_t count, float* scores) {
  std::int64_t key = 0;
  for (; key + 4 <= count; key += 4) {
    const float* row = keys.data + key * keys.stride;
    const Block lanes[4] = {dot_lanes(query, row, width), dot_lanes(query, row + keys.stride, width),
                            dot_lanes(query, row + 2 * keys.stride, width),
                            dot_lanes(query, row + 3 * keys.stride, width)};
    Block::sum_of_four(lanes, scores + key);
  }
  for (; key < count; ++key) scores[key] = Block::sum(dot_lanes(query, keys.data + key * keys.stride, width));
}

void add_bias(const float* bias, std::int64_t count, float* scores) {
  for (std::int64_t i = 0; i < count; i += kLanes) {
    Block::add(Block::load(scores + i), Block::load(bias + i)).store(scores + i);
  }
}

// acc[query] += sum over keys [first, last) of weight * value, each element one chain in key order.
template <int Queries>
void add_values(const HeadRows& values, std::int64_t width, const float* weights, std::int64_t weights_stride,
                std::int64_t first, std::int64_t last, float* acc) {
  constexpr int kBlocks = Block::tile_blocks(Queries);
  TileOperands tile{
      values.data + first * values.stride, values.stride, weights + first, weights_stride, last - first, acc, width};
  std::int64_t i = 0;
  for (; i + kBlocks * kLanes <= width; i += kBlocks * kLanes) {
    fma_tile<Queries, kBlocks, NoPrefetch>(tile);
    tile.w += kBlocks * kLanes;
    tile.accumulators += kBlocks * kLanes;
  }
  for (; i < width; i += kLanes) {
    fma_tile<Queries, 1, NoPrefetch>(tile);
    tile.w += kLanes;
    tile.accumulators += kLanes;
  }
}

// Keys that a query sees: all, or those up to its own position.
std::int64_t visible_keys(const AttentionTask& task, std::int64_t query) {
  return task.causal ? smaller(task.keys, task.first_position + query + 1) : task.keys;
}

struct HeadScratch {
  float* query;    // [width]
  float* scores;   // [kQueryBlock, score_stride]
  float* results;  // [kQueryBlock, width]
  std::int64_t width;
  std::int64_t score_stride;
};

// Queries [first, first + count), count <= kQueryBlock, of one head.
void attend_block(const AttentionTask& task, const HeadRows& keys, const HeadRows& values, const HeadScratch& scratch,
                  std::int64_t first, std::int64_t count) {
  float sums[kQueryBlock];
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t query = first + i;
    const std::int64_t visible = visible_keys(task, query);
    float* scores = scratch.scores + i * scratch.score_stride;
    widen_row(row_at(task.query, query * task.row_stride, task.inputs_are_bf16), task.inputs_are_bf16, task.head_dim,
              scratch.query);
    score_keys(scratch.query, keys, scratch.width, visible, scores);
    if (task.bias != nullptr) add_bias(task.bias + task.queries - 1 - query, visible, scores);
    sums[i] = exponentials(scores, visible);
  }
  __builtin_memset(scratch.results, 0, static_cast<std::size_t>(count * scratch.width) * sizeof(float));
  // The first query of a block sees the fewest keys; what later ones see beyond is added to each alone.
  const std::int64_t common = visible_keys(task, first);
  if (count == kQueryBlock) {
    add_values<kQueryBlock>(values, scratch.width, scratch.scores, scratch.score_stride, 0, common, scratch.results);
  }
  for (std::int64_t i = 0; i < count; ++i) {
    float* result = scratch.results + i * scratch.width;
    add_values<1>(values, scratch.width, scratch.scores + i * scratch.score_stride, 0,
                  count == kQueryBlock ? common : 0, visible_keys(task, first + i), result);
    void* out = row_at(task.out, (first + i) * task.row_stride, task.out_is_bf16);
    const Block sum = Block::broadcast(sums[i]);
    for (std::int64_t d = 0; d < task.head_dim; d += kLanes) {
      store_result(Block::divide(Block::load(result + d), sum), out, d, task.head_dim - d, task.out_is_bf16);
    }
  }
}

void attention(const AttentionTask& task) {
  const std::int64_t width = round_up_to_lanes(task.head_dim);
  const std::int64_t score_stride = round_up_to_lanes(task.keys) + kLanes;
  float* next = task.scratch;
  const HeadScratch scratch{next, next + kQueryBlock * width, next + kQueryBlock * (width + score_stride), width,
                            score_stride};
  next += kQueryBlock * (2 * width + score_stride);
  const HeadRows keys = head_rows(task, task.key, next);
  const HeadRows values = head_rows(task, task.value, next + task.keys * width);
  for (std::int64_t query = 0; query < task.queries; query += kQueryBlock) {
    attend_block(task, keys, values, scratch, query, smaller(kQueryBlock, task.queries - query));
  }
}

}  // namespace
}  // namespace sida::compute::cpu

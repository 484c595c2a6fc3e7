// What one instruction set offers: plain functions over plain data.
//
// The files that implement it are compiled with flags of their own (CMakeLists.txt). To keep their code out of the rest
// of the program, they include nothing but this header, exponential.h, *_kernels.h and block_*.h of this folder, and
// intrinsics; everything there lives in anonymous namespaces, so that the linker never picks an inline function that
// was compiled for a processor that the program does not run on. docs/numerics.md gives the order of every addition.
#pragma once

#include <cstdint>

namespace sida::compute::cpu {

// Elements that are added side by side wherever a sum runs along a row.
inline constexpr std::int64_t kLanes = 16;

// Rows of accumulators that one thread holds at a time.
inline constexpr std::int64_t kRowBlock = 128;
inline constexpr std::int64_t kAccumulatorFloats = kRowBlock * 64;

// y = W x for panels [first_panel, last_panel) of W (common/tensor/packed_matrix.h).
struct LinearTask {
  const void* x = nullptr;    // [rows, x_stride]; bf16 or fp32, see KernelTable::bf16_rows_as_fp32.
  std::int64_t x_stride = 0;  // Elements. Even for a bf16 matrix, the padding after an odd row is zero.
  std::int64_t rows = 0;
  const void* weight = nullptr;  // The whole packed matrix.
  std::int64_t inputs = 0;
  std::int64_t outputs = 0;
  std::int64_t first_panel = 0;
  std::int64_t last_panel = 0;
  float* accumulators = nullptr;  // Scratch of the calling thread, [kAccumulatorFloats].
  void* y = nullptr;              // [rows, outputs]
  bool y_is_bf16 = false;
  bool relu = false;  // Negative results become +0; NaN and -0 stay.
};

struct RmsNormTask {
  const float* x = nullptr;       // [rows, columns]
  const float* weight = nullptr;  // [columns]
  float epsilon = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  void* y = nullptr;  // [rows, columns]
  bool y_is_bf16 = false;
};

// One head of one sequence.
struct AttentionTask {
  const void* query = nullptr;  // First row's part of this head; likewise key, value and out.
  const void* key = nullptr;
  const void* value = nullptr;
  bool inputs_are_bf16 = false;
  std::int64_t row_stride = 0;  // Elements from one row of query, key, value and out to the next.
  std::int64_t queries = 0;
  std::int64_t keys = 0;
  std::int64_t head_dim = 0;
  bool causal = false;
  std::int64_t first_position = 0;
  // Bias by distance = key - query: bias[distance + first_position + queries - 1]; kLanes floats beyond the last
  // are readable. Null: none.
  const float* bias = nullptr;
  void* out = nullptr;
  bool out_is_bf16 = false;
  float* scratch = nullptr;  // attention_scratch_floats(), 64-byte aligned.
};

struct KernelTable {
  // Whether linear_bf16 wants its rows widened to fp32: without a bf16 instruction that is the quicker input.
  bool bf16_rows_as_fp32 = false;
  void (*linear_fp32)(const LinearTask&) = nullptr;
  void (*linear_bf16)(const LinearTask&) = nullptr;  // To be called with kFlushDenormals (floating_point_mode.h).
  void (*rms_norm)(const RmsNormTask&) = nullptr;
  void (*attention)(const AttentionTask&) = nullptr;
  void (*softmax)(float* row, std::int64_t count) = nullptr;  // In place; room for whole blocks of kLanes.
};

inline constexpr std::int64_t kQueryBlock = 4;  // Queries of one head that share a pass over the values.

constexpr std::int64_t round_up_to_lanes(std::int64_t count) {
  return (count + kLanes - 1) / kLanes * kLanes;
}

// Queries, scores and results of a block, and fp32 copies of the head's keys and values.
constexpr std::int64_t attention_scratch_floats(std::int64_t keys, std::int64_t head_dim) {
  return 2 * kQueryBlock * round_up_to_lanes(head_dim) + kQueryBlock * (round_up_to_lanes(keys) + kLanes) +
         2 * keys * round_up_to_lanes(head_dim);
}

extern const KernelTable kScalarKernels;
extern const KernelTable kAvx2Kernels;
extern const KernelTable kAvx512Kernels;
extern const KernelTable kAvx512Bf16Kernels;

}  // namespace sida::compute::cpu

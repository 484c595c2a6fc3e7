#include "common/compute/cpu/cpu_backend.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/compute/cpu/floating_point_mode.h"
#include "common/compute/relative_position.h"

namespace sida::compute::cpu {
namespace {

// Below this many bytes of weights, waking another thread costs more than it saves (a wake-up takes 5 to 50 us; one
// core reads 25 bytes per ns).
constexpr std::int64_t kForkBytes = 512 * 1024;
constexpr std::int64_t kNormRowsPerTask = 16;
constexpr std::int64_t kTasksPerThread = 4;  // So that a thread that is held up does not hold up the rest.

void check_rows(const ConstRows& rows, std::int64_t count, std::int64_t columns) {
  SIDA_CHECK(rows.count == count && rows.columns == columns);
  SIDA_CHECK(rows.dtype == DType::kFloat32 || rows.dtype == DType::kBFloat16);
}

void widen(ConstRows from, float* to) {
  const BFloat16* values = from.bf16();
  const std::int64_t count = from.count * from.columns;
  for (std::int64_t i = 0; i < count; ++i) to[i] = to_float(values[i]);
}

// Copies rows of an odd number of bf16 elements with a zero behind each.
void pad_to_pairs(ConstRows from, BFloat16* to) {
  for (std::int64_t row = 0; row < from.count; ++row, to += from.columns + 1) {
    std::memcpy(to, from.row(row), from.row_bytes());
    to[from.columns] = BFloat16{};
  }
}

void widen_to_pairs(ConstRows from, float* to) {
  const BFloat16* values = from.bf16();
  const std::int64_t width = from.columns + from.columns % 2;
  for (std::int64_t row = 0; row < from.count; ++row, values += from.columns, to += width) {
    for (std::int64_t i = 0; i < from.columns; ++i) to[i] = to_float(values[i]);
    if (width != from.columns) to[from.columns] = 0;
  }
}

const float* bias_by_distance(const Attention& sequence, std::int64_t head, float* to) {
  if (sequence.position_bias == nullptr) return nullptr;
  const std::int64_t nearest = -(sequence.first_position + sequence.query.count - 1);
  const std::int64_t count = sequence.query.count + sequence.key.count - 1;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t bucket = relative_position_bucket(nearest + i, sequence.direction);
    to[i] = sequence.position_bias[bucket * sequence.heads + head];
  }
  std::fill_n(to + count, kLanes, 0.0F);
  return to;
}

// Index of the largest; the first of equals. A row of NaN gives 0.
std::int32_t first_largest(std::span<const float> row, DType round_to) {
  std::int32_t best = 0;
  float best_value = round_to == DType::kBFloat16 ? round_to_bfloat16(row[0]) : row[0];
  for (std::size_t i = 1; i < row.size(); ++i) {
    const float value = round_to == DType::kBFloat16 ? round_to_bfloat16(row[i]) : row[i];
    if (value > best_value) {
      best = static_cast<std::int32_t>(i);
      best_value = value;
    }
  }
  return best;
}

}  // namespace

CpuBackend::CpuBackend(NamedKernels kernels, int threads)
    : kernels_(std::move(kernels)), threads_(threads), of_thread_(static_cast<std::size_t>(threads)) {}

Capabilities CpuBackend::capabilities() const {
  return {.device = "cpu", .kernel = kernels_.name, .numerics_id = kNumericsId, .threads = threads_.threads()};
}

void CpuBackend::linear(ConstRows x, const PackedMatrix& weight, Rows y) {
  run_linear(x, weight, y, false);
}

void CpuBackend::ffn(ConstRows x, const PackedFfn& weights, Rows y) {
  const std::int64_t d_ff = weights.wi.outputs;
  SIDA_CHECK(weights.wo.inputs == d_ff && weights.wo.dtype == weights.wi.dtype);
  const auto bytes = static_cast<std::size_t>(x.count * d_ff) * bytes_per_element(weights.wi.dtype);
  const Rows inner{inner_.reserve<std::byte>(bytes), x.count, d_ff, weights.wi.dtype};
  run_linear(x, weights.wi, inner, true);
  run_linear(inner, weights.wo, y, false);
}

LinearTask CpuBackend::linear_task(ConstRows x, const PackedMatrix& weight, Rows y) {
  LinearTask task{.x = x.data,
                  .x_stride = x.columns,
                  .rows = x.count,
                  .weight = weight.data,
                  .inputs = weight.inputs,
                  .outputs = weight.outputs,
                  .y = y.data,
                  .y_is_bf16 = y.dtype == DType::kBFloat16};
  if (weight.dtype == DType::kFloat32) return task;
  const std::int64_t width = x.columns + x.columns % 2;
  const auto elements = static_cast<std::size_t>(x.count * width);
  if (kernels_.table->bf16_rows_as_fp32) {
    auto* rows = rows_.reserve<float>(elements);
    widen_to_pairs(x, rows);
    task.x = rows;
  } else if (width != x.columns) {
    auto* rows = rows_.reserve<BFloat16>(elements);
    pad_to_pairs(x, rows);
    task.x = rows;
  }
  task.x_stride = width;
  return task;
}

void CpuBackend::run_linear(ConstRows x, const PackedMatrix& weight, Rows y, bool relu) {
  check_rows(x, x.count, weight.inputs);
  check_rows(y, x.count, weight.outputs);
  SIDA_CHECK(x.dtype == weight.dtype);
  if (x.count == 0 || weight.outputs == 0) return;
  LinearTask whole = linear_task(x, weight, y);
  whole.relu = relu;

  const bool is_bf16 = weight.dtype == DType::kBFloat16;
  const std::int64_t width = is_bf16 ? kPanelOutputsBFloat16 : kPanelOutputsFloat32;
  const std::int64_t panels = (weight.outputs + width - 1) / width;
  const auto bytes = static_cast<std::int64_t>(packed_bytes(weight.outputs, weight.inputs, weight.dtype));
  // Weights count once per row tile's worth of work.
  const std::int64_t work = bytes * std::max<std::int64_t>(1, x.count / 8);
  const std::int64_t split = work < kForkBytes ? 1 : std::min(panels, kTasksPerThread * threads_.threads());
  const std::int64_t tasks = threads_.threads() == 1 ? 1 : split;
  threads_.run(tasks, [&](std::int64_t index, int thread) {
    LinearTask task = whole;
    task.first_panel = index * panels / tasks;
    task.last_panel = (index + 1) * panels / tasks;
    task.accumulators = of_thread_[static_cast<std::size_t>(thread)].reserve<float>(kAccumulatorFloats);
    const FloatingPointMode mode(is_bf16 ? kFlushDenormals : kIeee);
    (is_bf16 ? kernels_.table->linear_bf16 : kernels_.table->linear_fp32)(task);
  });
}

void CpuBackend::rms_norm(ConstRows x, const float* weight, float epsilon, Rows y) {
  check_rows(y, x.count, x.columns);
  const std::int64_t tasks = (x.count + kNormRowsPerTask - 1) / kNormRowsPerTask;
  threads_.run(tasks, [&](std::int64_t index, int /*thread*/) {
    const std::int64_t first = index * kNormRowsPerTask;
    const FloatingPointMode mode(kIeee);
    kernels_.table->rms_norm({.x = x.f32() + first * x.columns,
                              .weight = weight,
                              .epsilon = epsilon,
                              .rows = std::min(kNormRowsPerTask, x.count - first),
                              .columns = x.columns,
                              .y = y.row(first),
                              .y_is_bf16 = y.dtype == DType::kBFloat16});
  });
}

void CpuBackend::attention(std::span<const Attention> sequences) {
  heads_.clear();
  for (const Attention& sequence : sequences) {
    const std::int64_t columns = sequence.query.columns;
    SIDA_CHECK(sequence.heads > 0 && columns % sequence.heads == 0 && sequence.first_position >= 0);
    check_rows(sequence.query, sequence.query.count, columns);
    check_rows(sequence.key, sequence.key.count, columns);
    check_rows(sequence.value, sequence.key.count, columns);
    check_rows(sequence.out, sequence.query.count, columns);
    SIDA_CHECK(sequence.key.dtype == sequence.query.dtype && sequence.value.dtype == sequence.query.dtype);
    if (sequence.query.count == 0) continue;
    if (sequence.key.count == 0) {
      std::memset(sequence.out.data, 0, sequence.out.bytes());
      continue;
    }
    for (std::int64_t head = 0; head < sequence.heads; ++head) heads_.push_back({&sequence, head});
  }
  threads_.run(static_cast<std::int64_t>(heads_.size()), [&](std::int64_t index, int thread) {
    run_head(heads_[static_cast<std::size_t>(index)], of_thread_[static_cast<std::size_t>(thread)]);
  });
}

void CpuBackend::run_head(const Head& head, Scratch& scratch) const {
  const Attention& sequence = *head.sequence;
  const std::int64_t head_dim = sequence.query.columns / sequence.heads;
  const std::int64_t own = attention_scratch_floats(sequence.key.count, head_dim);
  const std::int64_t biases = sequence.query.count + sequence.key.count + kLanes;
  auto* memory = scratch.reserve<float>(static_cast<std::size_t>(own + biases));
  const auto offset = static_cast<std::size_t>(head.head * head_dim);
  const std::size_t offset_bytes = offset * bytes_per_element(sequence.query.dtype);
  const FloatingPointMode mode(kIeee);
  kernels_.table->attention({.query = sequence.query.row(0) + offset_bytes,
                             .key = sequence.key.row(0) + offset_bytes,
                             .value = sequence.value.row(0) + offset_bytes,
                             .inputs_are_bf16 = sequence.query.dtype == DType::kBFloat16,
                             .row_stride = sequence.query.columns,
                             .queries = sequence.query.count,
                             .keys = sequence.key.count,
                             .head_dim = head_dim,
                             .causal = sequence.direction == Direction::kCausal,
                             .first_position = sequence.first_position,
                             .bias = bias_by_distance(sequence, head.head, memory + own),
                             .out = sequence.out.row(0) + offset * bytes_per_element(sequence.out.dtype),
                             .out_is_bf16 = sequence.out.dtype == DType::kBFloat16,
                             .scratch = memory});
}

void CpuBackend::gate(const Gate& gate) {
  const std::int64_t experts = gate.classifier.outputs;
  SIDA_CHECK(gate.classifier.dtype == DType::kFloat32 && experts > 0);
  SIDA_CHECK(gate.round_to == DType::kFloat32 || gate.round_to == DType::kBFloat16);
  const auto rows = static_cast<std::size_t>(gate.x.count);
  SIDA_CHECK(gate.probabilities.size() == rows * static_cast<std::size_t>(experts));
  SIDA_CHECK(gate.expert_ids.size() == rows && gate.weights.size() == rows);
  SIDA_CHECK(gate.bias.empty() || gate.bias.size() == static_cast<std::size_t>(experts));
  ConstRows x = gate.x;
  if (x.dtype == DType::kBFloat16) {
    auto* wide = gate_rows_.reserve<float>(rows * static_cast<std::size_t>(x.columns));
    widen(x, wide);
    x = {wide, x.count, x.columns, DType::kFloat32};
  }
  run_linear(x, gate.classifier, {gate.probabilities.data(), x.count, experts, DType::kFloat32}, false);

  const FloatingPointMode mode(kIeee);
  auto* row = of_thread_[0].reserve<float>(static_cast<std::size_t>(round_up_to_lanes(experts)));
  for (std::size_t i = 0; i < rows; ++i) {
    const auto out =
        gate.probabilities.subspan(i * static_cast<std::size_t>(experts), static_cast<std::size_t>(experts));
    std::copy(out.begin(), out.end(), row);
    for (std::size_t expert = 0; expert < gate.bias.size(); ++expert) row[expert] += gate.bias[expert];
    kernels_.table->softmax(row, experts);
    std::copy_n(row, experts, out.begin());
    gate.expert_ids[i] = first_largest(out, gate.round_to);
    const float weight = out[static_cast<std::size_t>(gate.expert_ids[i])];
    gate.weights[i] = gate.round_to == DType::kBFloat16 ? round_to_bfloat16(weight) : weight;
  }
}

}  // namespace sida::compute::cpu

namespace sida::compute {

Result<std::unique_ptr<Backend>> make_cpu_backend(const CpuOptions& options) {
  constexpr int kThreadsMax = 1024;
  if (options.threads < 1 || options.threads > kThreadsMax) {
    return fail(ErrorCode::kInvalidArgument,
                "compute threads must be from 1 to 1024, not " + std::to_string(options.threads));
  }
  auto kernels = cpu::choose_kernels(options.kernel);
  if (!kernels) return tl::unexpected(kernels.error());
  return std::make_unique<cpu::CpuBackend>(*kernels, options.threads);
}

}  // namespace sida::compute

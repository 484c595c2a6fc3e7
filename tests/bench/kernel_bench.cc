// Linear layers of one Switch-base expert matrix, weights cold, beside the read bandwidth measured in the same run.
//   cmake --preset release -DSIDA_BENCH=ON && cmake --build build/release --target kernel_bench
//   build/release/bench/kernel_bench --benchmark_repetitions=7 --benchmark_report_aggregates_only=true
// Time is CPU time of the calling thread, so compare medians of one thread on a machine that others use too.
#include <benchmark/benchmark.h>
#include <immintrin.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "common/compute/backend.h"

namespace sida::compute {
namespace {

constexpr std::int64_t kOutputs = 3072;
constexpr std::int64_t kInputs = 768;
constexpr std::size_t kColdBytes = std::size_t{448} << 20U;  // Far beyond any cache: each call meets cold weights.

struct Free {
  void operator()(std::byte* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<std::byte, Free>;

Memory allocate(std::size_t bytes) {
  Memory memory(static_cast<std::byte*>(std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096)));
  if (memory == nullptr) std::abort();
  return memory;
}

// Copies of one packed matrix, used in turn.
class ColdMatrices {
 public:
  explicit ColdMatrices(DType dtype)
      : bytes_(packed_bytes(kOutputs, kInputs, dtype)),
        copies_(kColdBytes / bytes_),
        memory_(allocate(copies_ * bytes_)) {
    std::vector<float> plain(static_cast<std::size_t>(kOutputs * kInputs));
    for (std::size_t i = 0; i < plain.size(); ++i) plain[i] = static_cast<float>(i * 2654435761U % 1000) / 1000 - 0.5F;
    matrix_ = pack(plain.data(), DType::kFloat32, kOutputs, kInputs, dtype, std::span(memory_.get(), bytes_));
    for (std::size_t copy = 1; copy < copies_; ++copy)
      std::memcpy(memory_.get() + copy * bytes_, memory_.get(), bytes_);
  }
  PackedMatrix next() {
    PackedMatrix matrix = matrix_;
    matrix.data = memory_.get() + (turn_++ % copies_) * bytes_;
    return matrix;
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_;
  std::size_t copies_;
  Memory memory_;
  PackedMatrix matrix_;
  std::size_t turn_ = 0;
};

ColdMatrices& cold_matrices(DType dtype) {
  static ColdMatrices fp32(DType::kFloat32);
  static ColdMatrices bf16(DType::kBFloat16);
  return dtype == DType::kFloat32 ? fp32 : bf16;
}

void linear(benchmark::State& state, const std::string& kernel, DType dtype) {
  auto backend = make_cpu_backend({.kernel = kernel});
  if (!backend) return state.SkipWithError(backend.error().message.c_str());
  ColdMatrices& matrices = cold_matrices(dtype);
  const std::int64_t rows = state.range(0);
  std::vector<std::uint32_t> x(static_cast<std::size_t>(rows * kInputs), 0x3f803f80);
  std::vector<float> y(static_cast<std::size_t>(rows * kOutputs));
  for (auto unused : state) {
    (*backend)->linear({x.data(), rows, kInputs, dtype}, matrices.next(), {y.data(), rows, kOutputs, DType::kFloat32});
    benchmark::DoNotOptimize(y.data());
  }
  const auto calls = static_cast<double>(state.iterations());
  state.counters["GB/s"] =
      benchmark::Counter(calls * static_cast<double>(matrices.bytes()) * 1e-9, benchmark::Counter::kIsRate);
  state.counters["GFLOP/s"] =
      benchmark::Counter(calls * 2e-9 * static_cast<double>(rows * kOutputs * kInputs), benchmark::Counter::kIsRate);
}

// One core's read bandwidth: sums over memory that no cache holds. Four lines a step, prefetched 4 KiB ahead: the
// quickest of the loops tried, as quick as one with 64-byte registers.
void read_memory(benchmark::State& state) {
  constexpr std::size_t kStep = 256;
  constexpr std::size_t kAhead = 4096;
  const Memory memory = allocate(kColdBytes + kAhead);
  std::memset(memory.get(), 1, kColdBytes);
  for (auto unused : state) {
    __m128i sums[4] = {};
    for (std::size_t i = 0; i < kColdBytes; i += kStep) {
      const auto* step = reinterpret_cast<const char*>(memory.get()) + i;
      for (std::size_t line = 0; line < kStep; line += 64) _mm_prefetch(step + kAhead + line, _MM_HINT_T0);
      const auto* vectors = reinterpret_cast<const __m128i*>(step);
      for (std::size_t j = 0; j < kStep / sizeof(__m128i); ++j) {
        sums[j % 4] = _mm_add_epi64(sums[j % 4], _mm_load_si128(vectors + j));
      }
    }
    benchmark::DoNotOptimize(sums);
  }
  state.counters["GB/s"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * kColdBytes * 1e-9, benchmark::Counter::kIsRate);
}

// Twelve heads of 64: `queries` tokens against `keys`, the encoder's self-attention or one step of the decoder.
void attention(benchmark::State& state, const std::string& kernel) {
  auto backend = make_cpu_backend({.kernel = kernel});
  if (!backend) return state.SkipWithError(backend.error().message.c_str());
  constexpr std::int64_t kHeads = 12;
  constexpr std::int64_t kColumns = kHeads * 64;
  const std::int64_t queries = state.range(0);
  const std::int64_t keys = state.range(1);
  std::vector<float> rows(static_cast<std::size_t>(keys * kColumns));
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>(i * 2654435761U % 1000) / 1000 - 0.5F;
  const std::vector<float> bias(32 * kHeads, 0.25F);
  std::vector<float> out(static_cast<std::size_t>(queries * kColumns));
  const Attention one{.query = {rows.data(), queries, kColumns, DType::kFloat32},
                      .key = {rows.data(), keys, kColumns, DType::kFloat32},
                      .value = {rows.data(), keys, kColumns, DType::kFloat32},
                      .position_bias = bias.data(),
                      .first_position = keys - queries,
                      .heads = kHeads,
                      .out = {out.data(), queries, kColumns, DType::kFloat32}};
  for (auto unused : state) {
    (*backend)->attention(std::span(&one, 1));
    benchmark::DoNotOptimize(out.data());
  }
  state.counters["GFLOP/s"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * 4e-9 * static_cast<double>(queries * keys * kColumns),
      benchmark::Counter::kIsRate);
}

}  // namespace
}  // namespace sida::compute

int main(int argc, char** argv) {
  using namespace sida;
  benchmark::RegisterBenchmark("read_memory", compute::read_memory)->Unit(benchmark::kMillisecond);
  for (const std::string& kernel : compute::cpu_kernels()) {
    for (DType dtype : {DType::kBFloat16, DType::kFloat32}) {
      const std::string title = kernel + "/" + std::string(name(dtype));
      auto* bench = benchmark::RegisterBenchmark(
          title.c_str(), [=](benchmark::State& state) { compute::linear(state, kernel, dtype); });
      for (std::int64_t rows : {1, 2, 4, 8, 16, 64, 128}) bench->Arg(rows);
      bench->Unit(benchmark::kMicrosecond);
    }
    const std::string title = kernel + "/attention";
    benchmark::RegisterBenchmark(title.c_str(), [=](benchmark::State& state) { compute::attention(state, kernel); })
        ->Args({128, 128})
        ->Args({1, 128})
        ->Args({1, 400})
        ->Unit(benchmark::kMicrosecond);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

// The attention kernels of every instruction set; operands stay in cache.
//   cmake --preset release -DSIDA_BENCH=ON && cmake --build build/release --target attention_bench
//   build/release/bench/attention_bench --benchmark_repetitions=7 --benchmark_report_aggregates_only=true
// Time is CPU time of the calling thread, so compare medians of one thread on a machine that others use too.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "common/compute/backend.h"

namespace sida::compute {
namespace {

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
  for (const std::string& kernel : sida::compute::cpu_kernels()) {
    const auto run = [kernel](benchmark::State& state) { sida::compute::attention(state, kernel); };
    benchmark::RegisterBenchmark(kernel.c_str(), run)
        ->Args({128, 128})
        ->Args({1, 128})
        ->Args({1, 400})
        ->Unit(benchmark::kMicrosecond);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

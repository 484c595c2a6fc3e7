// What the router spends on deciding where one MoE layer's rows go, and on taking their results: all that a plan made
// from the hash table could save in exact mode (docs/decisions/0012-no-plan-before-the-gate.md).
//   cmake --preset release -DSIDA_BENCH=ON && cmake --build build/release --target dispatch_bench
//   build/release/bench/dispatch_bench --benchmark_repetitions=7 --benchmark_report_aggregates_only=true
#include <benchmark/benchmark.h>

#include <variant>
#include <vector>

#include "router/dispatch/dispatch_core.h"

namespace sida::router {
namespace {

constexpr std::uint64_t kRowBytes = 768 * 2;  // Of Switch-base in bf16.
constexpr std::uint64_t kMoeLayers = 12;

proto::Member worker(std::uint64_t number) {
  proto::Member member;
  member.worker = WorkerId{number};
  member.name = "worker-" + std::to_string(number);
  member.capacity.slots = 4096;
  member.capacity.credit_bytes = std::uint64_t{1} << 30U;
  return member;
}

proto::DispatchResult result_of(const Part& part) {
  return {.id = part.id, .shape = {DType::kBFloat16, static_cast<std::uint32_t>(part.rows.size()), 768}};
}

// A layer over `rows` rows whose experts are spread evenly, from the gate's choice to the complete call.
void layer(benchmark::State& state) {
  const auto rows = static_cast<std::uint32_t>(state.range(0));
  const auto experts_of_layer = static_cast<std::uint32_t>(state.range(1));
  DispatchCore core(RouterId{1}, kRowBytes, kMoeLayers * experts_of_layer, {});
  TimePoint now{std::chrono::hours(1)};
  core.members_changed({worker(1), worker(2)}, now);
  std::vector<std::int32_t> experts;
  for (std::uint32_t row = 0; row < rows; ++row) {
    experts.push_back(static_cast<std::int32_t>(row * 2654435761U / 7 % experts_of_layer));
  }
  std::uint64_t call = 0;
  for (auto unused : state) {
    ++call;
    now += std::chrono::microseconds(100);
    const DispatchActions sent =
        core.start(CallId{call}, StepId{call}, LayerId{0}, experts, now + std::chrono::seconds(60), now);
    bool complete = false;
    for (const auto& action : sent) {
      const auto* part = std::get_if<SendPart>(&action);
      if (part == nullptr) continue;
      for (const auto& back : core.result(part->part.worker, result_of(part->part), now)) {
        complete |= std::holds_alternative<CompleteCall>(back);
      }
    }
    if (!complete) return state.SkipWithError("the call did not end");
  }
}

}  // namespace
}  // namespace sida::router

BENCHMARK(sida::router::layer)
    ->ArgNames({"rows", "experts"})
    ->ArgsProduct({{1, 32, 512}, {16, 256}})
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_MAIN();

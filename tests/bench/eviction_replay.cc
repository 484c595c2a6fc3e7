// Reads and time of one expert-worker by eviction policy and budget: routes of a trace through the real worker core, in
// virtual time, one sequence after another (expert-worker/replay). No model is run; a run gives the same figures
// anywhere.
//   cmake --preset release -DSIDA_BENCH=ON && cmake --build build/release --target eviction_replay
//   build/release/bench/eviction_replay --trace T
#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

#include "common/config/configure.h"
#include "common/trace/trace_reader.h"
#include "expert-worker/replay/replay.h"

namespace sida::worker::replay {
namespace {

struct Options {
  std::string trace;
  std::int64_t sequences = 500;
  double accuracy = 0.92;
  std::int64_t read_us = 7000;
  std::int64_t compute_us = 300;
  std::int64_t trunk_us = 1000;
};

struct Policy {
  const char* label;
  Eviction eviction;
  Knowledge knowledge;
  PrefetchMode prefetch;
};

constexpr std::array kPolicies{
    Policy{"fifo", Eviction::kFifo, Knowledge::kNothing, PrefetchMode::kOff},
    Policy{"lru", Eviction::kLru, Knowledge::kNothing, PrefetchMode::kOff},
    Policy{"lru-layer", Eviction::kLruLayer, Knowledge::kNothing, PrefetchMode::kOff},
    Policy{"table, no prefetching", Eviction::kTable, Knowledge::kTable, PrefetchMode::kOff},
    Policy{"table", Eviction::kTable, Knowledge::kTable, PrefetchMode::kAuto},
    Policy{"table, always prefetching", Eviction::kTable, Knowledge::kTable, PrefetchMode::kOn},
    Policy{"oracle", Eviction::kTable, Knowledge::kOracle, PrefetchMode::kOn},
};

Result<Routes> read_routes(const Options& options) {
  auto reader = trace::TraceReader::open(options.trace);
  if (!reader) return tl::unexpected(std::move(reader).error());
  Routes routes = routes_of(reader->header());
  while (routes.sequences.size() < static_cast<std::size_t>(options.sequences)) {
    auto sequence = reader->next();
    if (!sequence) return tl::unexpected(std::move(sequence).error());
    if (!*sequence) break;
    append(reader->header(), **sequence, routes);
  }
  predict(routes, options.accuracy, 1);
  return routes;
}

Result<void> run(const Options& options) {
  auto routes = read_routes(options);
  if (!routes) return tl::unexpected(std::move(routes).error());
  std::printf(
      "| budget | policy | experts read | time, s | waited, s | useful | late | wasted | cancelled | switched |\n");
  std::printf("| --: | --- | --: | --: | --: | --: | --: | --: | --: | --: |\n");
  for (const double budget : {0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8}) {
    for (const Policy& policy : kPolicies) {
      const auto slots = static_cast<std::uint32_t>(budget * static_cast<double>(routes->experts_total()));
      const ReplayResult result = replay(*routes, {.slots = std::max<std::uint32_t>(2, slots),
                                                   .eviction = policy.eviction,
                                                   .prefetch = policy.prefetch,
                                                   .knowledge = policy.knowledge,
                                                   .read_time = std::chrono::microseconds(options.read_us),
                                                   .compute_time = std::chrono::microseconds(options.compute_us),
                                                   .trunk_time = std::chrono::microseconds(options.trunk_us)});
      const auto seconds = [](std::chrono::microseconds time) { return static_cast<double>(time.count()) / 1e6; };
      std::printf("| %.0f %% | %s | %llu | %.2f | %.2f | %llu | %llu | %llu | %llu | %llu |\n", 100 * budget,
                  policy.label, static_cast<unsigned long long>(result.experts_read), seconds(result.time),
                  seconds(result.waited), static_cast<unsigned long long>(result.useful),
                  static_cast<unsigned long long>(result.late), static_cast<unsigned long long>(result.wasted),
                  static_cast<unsigned long long>(result.cancelled), static_cast<unsigned long long>(result.switches));
    }
  }
  return {};
}

}  // namespace
}  // namespace sida::worker::replay

int main(int argc, char** argv) {
  sida::worker::replay::Options options;
  sida::config::Schema schema("eviction_replay", "Compares eviction policies on recorded routes.");
  schema.text("trace", options.trace, "what `sida trace` wrote").placeholder("FILE").required();
  schema.integer("sequences", options.sequences, {1, 1'000'000}, "of the trace, from its begin");
  schema.number("accuracy", options.accuracy, 0, 1, "share of the rows of which the hash table names the expert");
  schema.integer("read-us", options.read_us, {1, 10'000'000}, "to read one expert");
  schema.integer("compute-us", options.compute_us, {0, 10'000'000}, "to compute one expert");
  schema.integer("trunk-us", options.trunk_us, {0, 10'000'000}, "of the trunk before each MoE layer");
  if (auto exit_code = sida::config::configure(schema, argc, argv)) return *exit_code;
  return sida::exit_code_of(sida::worker::replay::run(options));
}

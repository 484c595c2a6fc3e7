#include "expert-worker/replay/replay.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

namespace sida::worker::replay {
namespace {

using std::chrono::microseconds;

// Routes of the demo model, recorded by `sida trace` (README.md beside the file): per line a sequence, per layer the
// experts of its tokens.
Routes recorded() {
  std::ifstream file(std::string(SIDA_SOURCE_DIR) + "/tests/unit/expert-worker/replay/demo_routes.txt");
  trace::TraceHeader header;
  file >> header.encoder_layers >> header.decoder_layers >> header.num_experts;
  Routes routes = routes_of(header);
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    trace::TracedSequence sequence;
    std::istringstream layers(line);
    std::string layer;
    for (std::int32_t index = 0; std::getline(layers, layer, ';'); ++index) {
      trace::TracedLayer traced;
      std::istringstream experts(layer);
      for (std::int16_t expert = 0; experts >> expert;) traced.served.push_back(expert);
      (index < header.encoder_layers ? sequence.encoder : sequence.decoder).push_back(traced);
    }
    sequence.target.assign(sequence.decoder.at(0).served.size(), 0);
    append(header, sequence, routes);
  }
  return routes;
}

ReplayOptions with(const Routes& routes, double budget, Eviction eviction, Knowledge knowledge, PrefetchMode prefetch) {
  return {.slots = static_cast<std::uint32_t>(budget * static_cast<double>(routes.experts_total())),
          .eviction = eviction,
          .prefetch = prefetch,
          .knowledge = knowledge};
}
ReplayResult on_demand(const Routes& routes, double budget, Eviction eviction) {
  return replay(routes, with(routes, budget, eviction, Knowledge::kNothing, PrefetchMode::kOff));
}

constexpr std::array kBudgets{0.1, 0.2, 0.3, 0.4, 0.5, 0.6};

TEST(Replay, ReadsNothingWhenEverythingFits) {
  Routes routes = make_up({});
  const auto result = replay(routes, {.slots = static_cast<std::uint32_t>(routes.experts_total())});
  EXPECT_EQ(result.experts_read, 0U);
  EXPECT_EQ(result.misses, 0U);
  EXPECT_EQ(result.waited, microseconds(0));
  EXPECT_EQ(result.calls, 20U * (2 + 8 * 2));
}

TEST(Replay, GivesTheSameResultTwice) {
  Routes routes = make_up({});
  predict(routes, 0.8, 1);
  const auto first = replay(routes, {.slots = 8});
  const auto second = replay(routes, {.slots = 8});
  EXPECT_EQ(first.time, second.time);
  EXPECT_EQ(first.pieces_read, second.pieces_read);
}

TEST(Replay, WaitsForEachExpertThatIsReadOnDemand) {
  // One expert per call, of one layer, and never the same twice in a row where two of them take turns in one slot.
  Routes routes{.moe_layers = 1, .experts_per_layer = 3, .sequences = {{}}};
  for (std::int32_t i = 0; i < 10; ++i) {
    routes.sequences[0].push_back({true, {{LayerId{0}, {{ExpertId{1 + i % 2}, 1}}, {}}}});
  }
  const ReplayOptions options{.slots = 1,
                              .knowledge = Knowledge::kNothing,
                              .read_time = microseconds(8000),
                              .compute_time = microseconds(300),
                              .trunk_time = microseconds(1000)};
  const auto result = replay(routes, options);
  EXPECT_EQ(result.misses, 10U);
  EXPECT_EQ(result.waited, microseconds(10 * 8000));
  EXPECT_EQ(result.time, microseconds(10 * (1000 + 8000 + 300)));
}

TEST(Replay, HidesReadingBehindComputingWhereTheNextExpertsAreKnown) {
  Routes routes = make_up({.experts = 32, .sequences = 10, .source_tokens = 1, .target_tokens = 20, .skew = 0});
  const ReplayOptions options{.slots = 64,
                              .prefetch = PrefetchMode::kOn,
                              .knowledge = Knowledge::kOracle,
                              .read_time = microseconds(800),
                              .compute_time = microseconds(300),
                              .trunk_time = microseconds(1000)};
  EXPECT_EQ(replay(routes, options).waited, microseconds(0)) << "the disk is faster than what is done meanwhile";
  EXPECT_GT(on_demand(routes, 0.5, Eviction::kLru).waited, microseconds(0));
}

// What is promised of eviction by the table, on recorded and made-up routes and with predictions as good as ours.
class TableEviction : public testing::TestWithParam<std::string> {
 protected:
  static Routes routes() {
    Routes routes = GetParam() == "recorded" ? recorded()
                    : GetParam() == "even"   ? make_up({.experts = 64, .sequences = 60, .skew = 0})
                                             : make_up({.experts = 64, .sequences = 60, .skew = 1.2});
    predict(routes, 0.92, 1);
    return routes;
  }
};

TEST_P(TableEviction, ReadsFewerBytesThanLruAndFifoAtEveryBudget) {
  const Routes told = routes();
  for (const double budget : kBudgets) {
    const auto table =
        replay(told, with(told, budget, Eviction::kTable, Knowledge::kTable, PrefetchMode::kOff)).experts_read;
    for (const Eviction other : {Eviction::kLru, Eviction::kLruLayer, Eviction::kFifo}) {
      EXPECT_LT(table, on_demand(told, budget, other).experts_read) << name(other) << " at " << budget;
    }
  }
}

TEST_P(TableEviction, ReadsNoFewerBytesThanTheOracle) {
  const Routes told = routes();
  for (const double budget : kBudgets) {
    const auto table = replay(told, with(told, budget, Eviction::kTable, Knowledge::kTable, PrefetchMode::kOff));
    const auto oracle = replay(told, with(told, budget, Eviction::kTable, Knowledge::kOracle, PrefetchMode::kOff));
    EXPECT_LE(oracle.experts_read, table.experts_read) << "at " << budget;
  }
}

TEST_P(TableEviction, WithPrefetchingIsFasterThanOnDemandAtEveryBudget) {
  const Routes told = routes();
  for (const double budget : kBudgets) {
    const auto table = replay(told, with(told, budget, Eviction::kTable, Knowledge::kTable, PrefetchMode::kAuto));
    EXPECT_LT(table.time, on_demand(told, budget, Eviction::kLru).time) << "at " << budget;
  }
}

// Reading and computing take about as long, and half of the experts fit.
ReplayResult with_predictions(double accuracy, PrefetchMode prefetch) {
  Routes routes = recorded();
  predict(routes, accuracy, 1);
  ReplayOptions options = with(routes, 0.5, Eviction::kTable, Knowledge::kTable, prefetch);
  options.read_time = microseconds(1500);
  return replay(routes, options);
}

TEST(Prefetching, HidesAQuarterOfTheReadingWherePredictionsAreGood) {
  const auto off = with_predictions(0.92, PrefetchMode::kOff);
  const auto ahead = with_predictions(0.92, PrefetchMode::kAuto);
  EXPECT_LT(ahead.waited, off.waited * 3 / 4);
  EXPECT_EQ(ahead.switches, 1U) << "on, once the disk was seen to have time";
}

TEST(Prefetching, CostsNextToNothingWherePredictionsAreBad) {
  const auto off = with_predictions(0.05, PrefetchMode::kOff);
  const auto ahead = with_predictions(0.05, PrefetchMode::kAuto);
  const auto always = with_predictions(0.05, PrefetchMode::kOn);
  EXPECT_LT(ahead.time, off.time * 102 / 100);
  EXPECT_LT(ahead.experts_read, off.experts_read + 64) << "what a verdict takes";
  EXPECT_GT(always.experts_read, off.experts_read * 120 / 100) << "what would be read in vain";
}

INSTANTIATE_TEST_SUITE_P(Routes, TableEviction, testing::Values("recorded", "even", "uneven"),
                         [](const auto& routes) { return routes.param; });

}  // namespace
}  // namespace sida::worker::replay

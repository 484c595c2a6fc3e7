#include "cli/bench/offload_report.h"

#include <gmock/gmock.h>

namespace sida::bench {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr std::uint64_t kExpert = 1'000'000;

Visit visit(const std::string& policy, int round, double seconds, std::uint64_t misses) {
  Pass pass{.text = "short", .phase = Phase::kEncode, .latencies = {}, .items = 4, .seconds = seconds, .counts = {}};
  for (int request = 1; request <= 4; ++request) pass.latencies.push_back(seconds / 4 * request / 2.5);
  pass.counts = {.hits = 100, .misses = misses, .bytes_read = misses * kExpert, .bytes_waited = misses * kExpert};
  return {.setting = {policy, policy == "resident" ? 1 : 0.25, 500},
          .round = round,
          .first_answer_seconds = 2,
          .peak_bytes = static_cast<std::uint64_t>(round) + 7,
          .passes = {pass}};
}

// Computing takes 100 ms a source, reading on demand 200 MB at 1 GB/s: r = 2.
OffloadRun example() {
  OffloadRun run;
  run.model = {.name = "m",
               .dtype = "bf16",
               .experts_per_layer = 50,
               .encoder_moe_layers = 1,
               .decoder_moe_layers = 1,
               .expert_bytes = kExpert,
               .encoder_trunk_bytes = 60'000'000,
               .decoder_trunk_bytes = 40'000'000,
               .memory_bytes_min = 10};
  run.rounds = 3;
  run.limits = {{.memory = 10e9, .disk = 0.9e9}, {.memory = 12e9, .disk = 1e9}, {.memory = 11e9, .disk = 5e9}};
  for (int round = 0; round < 3; ++round) {
    run.visits.push_back(visit("resident", round, 0.4, 0));
    run.visits.push_back(visit("demand", round, 1.2, 800));
    run.visits.push_back(visit("table", round, round == 2 ? 9.0 : 0.8, 600));
  }
  run.needs = {{.text = "short", .tokens = {10, 30}, .encoder_experts = {10, 20}}};
  return run;
}

json point(const json& report, const std::string& policy) {
  for (const json& one : report["points"]) {
    if (one["policy"] == policy) return one;
  }
  return {};
}

TEST(OffloadJson, TakesMediansOfRounds) {
  const json report = offload_json(example());
  EXPECT_EQ(report["limits"]["memory_gb_per_s"], 11);
  EXPECT_EQ(report["limits"]["disk_gb_per_s"], 1);
  EXPECT_EQ(point(report, "table")["throughput"], 5);
  EXPECT_EQ(point(report, "table")["throughput_min"], 0.444);
  EXPECT_EQ(point(report, "table")["peak_bytes"], 9);
}

TEST(OffloadJson, HasOnePointPerTextPhasePolicyAndBudget) {
  OffloadRun run = example();
  run.visits.back().setting.bytes = 600;
  EXPECT_EQ(offload_json(example())["points"].size(), 3U);
  EXPECT_EQ(offload_json(run)["points"].size(), 4U);
}

TEST(OffloadJson, TellsPercentilesOfAllRequests) {
  const json latency = point(offload_json(example()), "resident")["latency_ms"];
  EXPECT_EQ(latency["p50"], 80);
  EXPECT_EQ(latency["p95"], 160);
  EXPECT_EQ(latency["p99"], 160);
}

TEST(OffloadJson, ComparesReadingWithComputing) {
  const json overlap = offload_json(example())["overlap"][0];
  EXPECT_EQ(overlap["compute_ms"], 100);
  EXPECT_EQ(overlap["read_ms"], 200);
  EXPECT_EQ(overlap["r"], 2);
  EXPECT_EQ(overlap["bound"], 1.5);
}

TEST(OffloadJson, ComparesWithOnDemandAndResidentRoundByRound) {
  const json table = point(offload_json(example()), "table");
  EXPECT_EQ(table["over_demand"], 1.5);  // Of 1.5, 1.5 and 0.13.
  EXPECT_EQ(table["of_resident"], 0.5);
  EXPECT_EQ(table["bound_share"], 1);
}

TEST(OffloadJson, HoldsEachPointAgainstItsLimits) {
  const json report = offload_json(example());
  // 150 MB read a source at 1 GB/s, in 200 ms.
  EXPECT_EQ(point(report, "table")["limit_share"], 0.75);
  // 100 MB of trunk and 25 experts of 1 MB at 11 GB/s, in 100 ms.
  EXPECT_NEAR(point(report, "resident")["memory_share"].get<double>(), 125.0 / 11000 / 0.1, 0.001);
  EXPECT_TRUE(point(report, "resident")["disk_share"] == 0);
}

TEST(OffloadJson, SaysNothingOfMemoryWhereRequestsShareTheTrunk) {
  OffloadRun run = example();
  run.parallel = 8;
  EXPECT_TRUE(point(offload_json(run), "resident")["memory_share"].is_null());
}

TEST(OffloadJson, LeavesOutWhatHasNoReference) {
  OffloadRun run = example();
  std::erase_if(run.visits, [](const Visit& visit) { return visit.setting.policy != "table"; });
  const json report = offload_json(run);
  EXPECT_TRUE(point(report, "table")["over_demand"].is_null());
  EXPECT_TRUE(point(report, "table")["limit_share"].is_null());
  EXPECT_TRUE(report["overlap"][0]["bound"].is_null());
  EXPECT_THAT(offload_markdown(report), HasSubstr("| table | 25 % | 5.00"));
}

TEST(OffloadJson, CountsMemorySavedAsShareOfTheEncodersExperts) {
  const json memory = offload_json(example())["memory"][0];
  EXPECT_EQ(memory["tokens"], 20);
  EXPECT_EQ(memory["experts"], 15);
  EXPECT_EQ(memory["bytes"], 15e6);
  EXPECT_EQ(memory["saved_percent"], 70);
  EXPECT_EQ(memory["saved_percent_min"], 60);
}

TEST(OffloadMarkdown, OrdersATableByBudgetThenPolicy) {
  const std::string text = offload_markdown(offload_json(example()));
  EXPECT_THAT(text, HasSubstr("## short, encode"));
  EXPECT_LT(text.find("| demand |"), text.find("| table |"));
  EXPECT_LT(text.find("| table |"), text.find("| resident |"));
  EXPECT_THAT(text, HasSubstr("r = 2.00"));
}

}  // namespace
}  // namespace sida::bench

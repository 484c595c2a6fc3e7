#include "cli/load/load_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sida::load {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

// Meant for `intended`, first token after 100 ms, then one each 10 ms.
RequestRecord answered(double intended, int tokens) {
  RequestRecord record{.intended = Seconds(intended), .sent = Seconds(intended), .status = 200};
  for (int token = 0; token < tokens; ++token) record.tokens.push_back(Seconds(intended + 0.1 + 0.01 * token));
  record.ended = record.tokens.back();
  record.input_tokens = 5;
  record.output_tokens = tokens;
  return record;
}

RequestRecord rejected(double intended) {
  return {.intended = Seconds(intended),
          .sent = Seconds(intended),
          .ended = Seconds(intended + 0.002),
          .status = 503,
          .error = "overloaded"};
}

TEST(LoadReport, HasTheNamesOfVllm) {
  const json load = load_json({.request_rate = 2}, {answered(0, 11), answered(1.8, 11)});
  EXPECT_EQ(load["completed"], 2);
  EXPECT_EQ(load["request_rate"], 2);
  EXPECT_DOUBLE_EQ(load["duration"], 2.0);
  EXPECT_DOUBLE_EQ(load["request_throughput"], 1.0);
  EXPECT_DOUBLE_EQ(load["output_throughput"], 11.0);
  EXPECT_DOUBLE_EQ(load["total_token_throughput"], 16.0);
  EXPECT_NEAR(load["mean_ttft_ms"].get<double>(), 100, 1e-6);
  EXPECT_NEAR(load["median_tpot_ms"].get<double>(), 10, 1e-6);
  EXPECT_NEAR(load["p99_itl_ms"].get<double>(), 10, 1e-6);
  EXPECT_NEAR(load["p99_e2el_ms"].get<double>(), 200, 1e-6);
  EXPECT_EQ(load["request_goodput"], nullptr);
}

TEST(LoadReport, LatencyCountsFromWhenItWasMeantToBeSent) {
  RequestRecord held = answered(0, 2);
  held.intended = Seconds(-3);
  const json load = load_json({}, {held});
  EXPECT_NEAR(load["mean_ttft_ms"].get<double>(), 3100, 1e-6);
  EXPECT_NEAR(load["max_send_lag_ms"].get<double>(), 3000, 1e-6);
}

TEST(LoadReport, RejectionsAreNoLatencies) {
  const json load = load_json({}, {answered(0, 2), rejected(0.1), rejected(0.2)});
  EXPECT_EQ(load["failed"], 2);
  EXPECT_EQ(load["rejected"], 2);
  EXPECT_EQ(load["errors"]["overloaded"], 2);
  EXPECT_NEAR(load["p99_rejection_ms"].get<double>(), 2, 1e-6);
  EXPECT_NEAR(load["p99_e2el_ms"].get<double>(), 110, 1e-6);
}

TEST(LoadReport, GoodputCountsWhatMeetsTheObjective) {
  const auto objective = parse_objective("ttft:150,e2el:180");
  ASSERT_TRUE(objective);
  const json load = load_json({.objective = *objective}, {answered(0, 2), answered(0.8, 21), rejected(0.1)});
  EXPECT_DOUBLE_EQ(load["request_goodput"], 1 / 1.1);
}

TEST(LoadReport, NothingCompletedIsNull) {
  const json load = load_json({}, {rejected(0)});
  EXPECT_EQ(load["mean_ttft_ms"], nullptr);
  EXPECT_EQ(load["p99_e2el_ms"], nullptr);
  EXPECT_THAT(load_text({load}), HasSubstr("| closed loop | 0.00 | - |"));
}

TEST(LoadReport, TheHistogramHoldsEveryAnswer) {
  const json load = load_json({}, {answered(0, 2), answered(0, 30), answered(0, 2)});
  const json& histogram = load["histograms"]["e2el_ms"];
  EXPECT_EQ(histogram["counts"].size(), histogram["bounds"].size() + 1);
  EXPECT_EQ(histogram["counts"][7], 2);  // Up to 200 ms.
  EXPECT_EQ(histogram["counts"][8], 1);
  EXPECT_THAT(load_text({load}), HasSubstr("<=     200 ms       2 ####"));
}

TEST(LoadReport, AWrongObjectiveIsRefused) {
  for (const char* text : {"ttft", "ttft:", "ttft:-1", "itl:5", "ttft:5,", ":5"}) {
    const bool trailing = std::string(text) == "ttft:5,";
    EXPECT_EQ(parse_objective(text).has_value(), trailing) << text;
  }
}

TEST(LoadReport, ALineTellsOfOneRequest) {
  const json line = record_json(3, answered(1, 3));
  EXPECT_EQ(line["index"], 3);
  EXPECT_EQ(line["itl_ms"].size(), 2U);
  EXPECT_EQ(line["error"], nullptr);
  EXPECT_EQ(record_json(0, rejected(0))["error"], "overloaded");
}

}  // namespace
}  // namespace sida::load

#include "cli/bench/kernel_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sida::bench {
namespace {

using ::testing::HasSubstr;

// Three rounds of one kernel and of the library, one row of bf16: 4.718592 MB of weights.
KernelRun example() {
  Timings own{.kernel = "avx2", .dtype = DType::kBFloat16, .rows = 1};
  own.seconds = {300e-6, 100e-6, 200e-6};
  own.bytes_per_second = {30e9, 40e9, 20e9};
  own.peak_flops = {90e9, 100e9, 80e9};
  Timings library = own;
  library.kernel = "at::linear";
  library.seconds = {600e-6, 500e-6, 400e-6};
  library.peak_flops.clear();
  return {.threads = 1, .rounds = 3, .timings = {own, library}};
}

TEST(KernelReport, TimesAreMediansAndLimitsTheBestOfTheRounds) {
  const auto row = kernel_json(example())["rows"][0];
  EXPECT_EQ(row["microseconds"], 200);
  EXPECT_EQ(row["microseconds_min"], 100);
  EXPECT_EQ(row["microseconds_max"], 300);
  EXPECT_EQ(row["gb_per_s"], 23.593);
  EXPECT_EQ(row["memory_gb_per_s"], 40);
  EXPECT_EQ(row["share"], 0.59);
  EXPECT_EQ(row["share_of_round"], 1.18);  // Of 0.524, 1.18 and 1.18.
  EXPECT_EQ(row["gflop_per_s"], 23.593);
  EXPECT_EQ(row["peak_gflop_per_s"], 100);
  EXPECT_EQ(row["peak_share"], 0.236);
}

TEST(KernelReport, SpeedUpsCompareWithinRounds) {
  const auto rows = kernel_json(example())["rows"];
  EXPECT_EQ(rows[0]["speedup_over_linear"], 2);  // Of 2, 5 and 2; the ratio of the medians would be 2.5.
  EXPECT_EQ(rows[1]["speedup_over_linear"], 1);
}

TEST(KernelReport, WhatWasNotMeasuredIsNull) {
  const auto rows = kernel_json(example())["rows"];
  EXPECT_TRUE(rows[0]["speedup_over_onednn"].is_null());
  EXPECT_TRUE(rows[1]["peak_share"].is_null());
}

TEST(KernelReport, AnExpertIsTwoMatricesAndComparedWithExperts) {
  auto run = example();
  for (Timings& timings : run.timings) timings.layer = Layer::kExpert;
  run.timings[1].kernel = "at::linear expert";
  const auto row = kernel_json(run)["rows"][0];
  EXPECT_EQ(row["layer"], "expert");
  EXPECT_EQ(row["gb_per_s"], 47.186);
  EXPECT_EQ(row["gflop_per_s"], 47.186);
  EXPECT_EQ(row["speedup_over_linear"], 2);
}

TEST(KernelReport, MarkdownHasATablePerDtype) {
  auto run = example();
  run.timings.push_back(run.timings[0]);
  run.timings.back().dtype = DType::kFloat32;
  const std::string text = kernel_markdown(kernel_json(run));
  EXPECT_THAT(text, HasSubstr("## bf16, threads: 1"));
  EXPECT_THAT(text, HasSubstr("## fp32, threads: 1"));
  EXPECT_THAT(text, HasSubstr("| avx2 | 1 | 200 | 100 to 300 | 23.6 | 40.0 | 59 % | 24 | 24 % | 2.00 |  |\n"));
}

}  // namespace
}  // namespace sida::bench

#include "cli/bench/transport_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sida::bench {
namespace {

using ::testing::HasSubstr;

TransportRun example() {
  RoundTrips trips{.channel = "ipc", .rows = 8, .payload_bytes = 12288, .seconds = {}};
  for (int microseconds = 100; microseconds > 0; --microseconds) trips.seconds.push_back(1e-6 * microseconds);
  return {.copy_bytes_per_second = 4e9, .wake_seconds = 12.5e-6, .round_trips = {trips}};
}

TEST(TransportReport, PercentilesAreOfNearestRank) {
  const auto times = transport_json(example())["points"][0]["round_trip_us"];
  EXPECT_EQ(times["p50"], 50);
  EXPECT_EQ(times["p95"], 95);
  EXPECT_EQ(times["p99"], 99);
}

TEST(TransportReport, OneRoundTripIsEveryPercentile) {
  auto run = example();
  run.round_trips[0].seconds = {7e-6};
  const auto times = transport_json(run)["points"][0]["round_trip_us"];
  EXPECT_EQ(times["p50"], 7);
  EXPECT_EQ(times["p99"], 7);
}

TEST(TransportReport, ThePayloadGoesThereAndBack) {
  const auto report = transport_json(example());
  EXPECT_EQ(report["points"][0]["gb_per_s"], 0.492);  // 2 x 12288 bytes in 50 us.
  EXPECT_EQ(report["points"][0]["share_of_copy"], 0.123);
  EXPECT_EQ(report["limits"]["copy_gb_per_s"], 4);
  EXPECT_EQ(report["limits"]["wake_us"], 12.5);
}

TEST(TransportReport, MarkdownHoldsLimitsAndPoints) {
  const std::string text = transport_markdown(transport_json(example()));
  EXPECT_THAT(text, HasSubstr("Copying memory: 4.0 GB/s; two threads that only wake each other: 12.5 µs"));
  EXPECT_THAT(text, HasSubstr("| ipc | 8 | 12288 | 50.0 | 95.0 | 99.0 | 0.49 | 12 % |\n"));
}

}  // namespace
}  // namespace sida::bench

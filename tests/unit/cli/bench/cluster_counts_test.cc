#include "cli/bench/cluster_counts.h"

#include <gtest/gtest.h>

namespace sida::bench {
namespace {

using nlohmann::json;

// One encoder layer and one of the decoder.
json status(std::uint64_t encoder_misses, std::uint64_t decoder_misses, std::uint64_t read) {
  const json worker{{"bytes_read", read},
                    {"bytes_waited", read / 2},
                    {"rows_served", 7U},
                    {"prefetches", {{"useful", read / 100}, {"late", 1U}, {"wasted", 0U}}}};
  return {{"model", {{"encoder_moe_layers", 1U}}},
          {"dispatched_rows", 14U},
          {"workers", {worker, worker}},
          {"agreement_by_layer",
           {{{"hits", 10U}, {"misses", encoder_misses}}, {{"hits", 20U}, {"misses", decoder_misses}}}}};
}

TEST(ClusterCounts, AddsUpWorkers) {
  const ClusterCounts counts = cluster_counts(status(1, 2, 100));
  EXPECT_EQ(counts.all.bytes_read, 200U);
  EXPECT_EQ(counts.all.bytes_waited, 100U);
  EXPECT_EQ(counts.all.useful, 2U);
  EXPECT_EQ(counts.rows_served, 14U);
  EXPECT_EQ(counts.rows_sent, 14U);
}

TEST(ClusterCounts, OfAStatusWithoutAnythingAreZero) {
  for (const json& status : {json(), json::object(), json{{"workers", 3}}}) {
    const ClusterCounts counts = cluster_counts(status);
    EXPECT_EQ(counts.all.bytes_read, 0U);
    EXPECT_TRUE(counts.layer_hits.empty());
  }
}

TEST(CountsBetween, OfTheEncoderAreOfAllLayers) {
  const Counts counts =
      counts_between(cluster_counts(status(1, 2, 100)), cluster_counts(status(4, 3, 500)), Phase::kEncode);
  EXPECT_EQ(counts.misses, 4U);
  EXPECT_EQ(counts.bytes_read, 800U);
}

TEST(CountsBetween, OfTheDecoderAreOfItsLayersAndItsShareOfTheBytes) {
  const Counts counts =
      counts_between(cluster_counts(status(1, 2, 100)), cluster_counts(status(4, 3, 500)), Phase::kDecode);
  EXPECT_EQ(counts.misses, 1U);
  EXPECT_EQ(counts.bytes_read, 200U);
  EXPECT_EQ(counts.bytes_waited, 100U);
  EXPECT_EQ(counts.useful, 8U);
}

TEST(CountsBetween, BeginAnewWithAWorkerThatWasStartedAgain) {
  const Counts counts =
      counts_between(cluster_counts(status(1, 2, 500)), cluster_counts(status(1, 2, 100)), Phase::kEncode);
  EXPECT_EQ(counts.bytes_read, 200U);
}

}  // namespace
}  // namespace sida::bench

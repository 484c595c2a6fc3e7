#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "router/http/experts_json.h"
#include "router/http/status_json.h"
#include "tests/unit/router/http/example_status.h"

namespace sida::router {
namespace {

using nlohmann::json;

TEST(Health, IsOkWhenARequestWouldBeServed) {
  EXPECT_EQ(health_reply(example_status()).status, 200U);
}

TEST(Health, SaysWhyNotAndHowFar) {
  RouterStatus status;
  status.reason = "loading weights";
  status.loaded_fraction = 0.426;
  const Reply reply = health_reply(status);
  EXPECT_EQ(reply.status, 503U);
  EXPECT_EQ(json::parse(reply.body),
            json({{"status", "unavailable"}, {"reason", "loading weights"}, {"loaded_percent", 43}}));
}

TEST(Status, HasTheKeysThatOthersRelyOn) {
  const json status = status_json(example_status());
  EXPECT_EQ(status["processes"][0]["name"], "worker-0");
  EXPECT_EQ(status["processes"][0]["state"], "ready");
  EXPECT_EQ(status["workers"][0]["experts_resident"], 3);
  EXPECT_EQ(status["workers"][0]["memory_budget_bytes"], 2000);
  EXPECT_EQ(status["workers"][0]["channel"], "shared-memory");
  EXPECT_EQ(status["agreement"], 0.8);
  EXPECT_EQ(status["hit_rate"], 0.75);
  EXPECT_EQ(status["late"], 4);
  EXPECT_EQ(status["predictors"][0]["name"], "predictor-0");
  EXPECT_EQ(status["predictors"][0]["us_per_source"], 200);
  EXPECT_EQ(status["predictors"][0]["core_share"], 0.25);
  EXPECT_TRUE(status["predictors"][1]["us_per_source"].is_null());
  EXPECT_EQ(status["encoder"]["experts_per_source"], 2.5);
  EXPECT_EQ(status["agreement_by_layer"][0]["lead_ms"]["mean"], 3.0);
  EXPECT_TRUE(status["agreement_by_layer"][1]["lead_ms"].is_null());
}

TEST(Status, SharesOfNothingAreNull) {
  const json status = status_json({});
  EXPECT_TRUE(status["agreement"].is_null());
  EXPECT_TRUE(status["hit_rate"].is_null());
}

TEST(Status, TellsHitsByLayerAndHowMuchOfWhatFitsIsLoaded) {
  const json status = status_json(example_status());
  EXPECT_EQ(status["agreement_by_layer"][0]["hit_rate"], 0.75);
  EXPECT_TRUE(status["agreement_by_layer"][1]["hit_rate"].is_null());
  EXPECT_EQ(status["loading"],
            json({{"resident_bytes", 300}, {"fitting_bytes", 600}, {"expert_bytes", 100}, {"share", 0.5}}));
}

TEST(Status, TellsLatenciesWithTheirBuckets) {
  const json latency = status_json(example_status())["latency_ms"];
  EXPECT_EQ(latency["first_token"]["count"], 1);
  EXPECT_EQ(latency["first_token"]["sum"], 4.0);
  EXPECT_EQ(latency["first_token"]["counts"].size(), latency["bucket_ends"].size() + 1);
  EXPECT_EQ(latency["first_token"]["p50"], 4.0);  // In the middle of the bucket from 3 to 5 ms.
  EXPECT_TRUE(latency["queued"]["p50"].is_null());
}

TEST(Status, StaysSmallForALargeModel) {
  RouterStatus status = example_status();
  status.model = {.encoder_moe_layers = 6, .moe_layers = 12, .experts_per_layer = 256};
  ExpertRows rows(12, 256);
  std::vector<ExpertKey> resident;
  status.agreement.clear();
  for (std::int32_t layer = 0; layer < 12; ++layer) {
    status.agreement.push_back({.layer = layer, .routed = 10'000'000, .compared = 1'000'000});
    for (std::int32_t expert = 0; expert < 256; ++expert) {
      rows.add(LayerId{layer}, std::vector<std::int32_t>(5000, expert));
      resident.push_back({LayerId{layer}, ExpertId{expert}});
    }
  }
  status.expert_rows = std::make_shared<const ExpertRows>(rows);
  status.workers.front().resident = std::make_shared<const std::vector<ExpertKey>>(resident);
  EXPECT_LT(status_json(status).dump().size(), 16U << 10U);
  EXPECT_LT(experts_json(status).dump().size(), 32U << 10U);
}

TEST(Experts, ThatTheModelDoesNotHaveAreLeftOut) {
  RouterStatus status = example_status();
  status.workers.front().resident = std::make_shared<const std::vector<ExpertKey>>(std::vector<ExpertKey>{
      {LayerId{-1}, ExpertId{0}}, {LayerId{0}, ExpertId{4}}, {LayerId{2}, ExpertId{0}}, {LayerId{1}, ExpertId{3}}});
  EXPECT_EQ(experts_json(status)["resident"]["worker-0"], json({json::array(), {3}}));
}

TEST(Experts, OfAVeryLargeModelAreNotTold) {
  RouterStatus status;
  status.model = {.encoder_moe_layers = 0, .moe_layers = 1024, .experts_per_layer = 1024};
  status.expert_rows = std::make_shared<const ExpertRows>(1024, 1024);
  EXPECT_FALSE(status.expert_rows->counted());
  EXPECT_TRUE(experts_json(status)["rows"].is_null());
}

}  // namespace
}  // namespace sida::router

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "router/http/admin_api.h"
#include "router/http/status_json.h"
#include "tests/unit/router/http/fake_engine.h"

namespace sida::router {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

RouterStatus example() {
  RouterStatus status;
  status.ready = true;
  status.processes = {{"worker-0", "expert-worker", 12, "ipc:///x", "ready", ""}};
  status.workers = {{"worker-0", 8, 1000, 2000, 50, 30, 10, "avx2"}};
  status.agreement = {{.layer = 0, .routed = 200, .predicted = 150, .compared = 100, .agreed = 90, .late = 4},
                      {.layer = 1, .routed = 200, .predicted = 150, .compared = 100, .agreed = 70}};
  status.agreement[0].lead.add(std::chrono::milliseconds(3));
  status.resends_lost = 3;
  status.encoder_steps = 2;
  status.encoder_sources = 8;
  status.encoder_experts = 20;
  status.generation_tokens = 42;
  return status;
}

TEST(Health, IsOkWhenARequestWouldBeServed) {
  EXPECT_EQ(health_reply(example()).status, 200U);
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
  const json status = status_json(example());
  EXPECT_EQ(status["processes"][0]["name"], "worker-0");
  EXPECT_EQ(status["processes"][0]["state"], "ready");
  EXPECT_EQ(status["workers"][0]["experts_resident"], 8);
  EXPECT_EQ(status["workers"][0]["memory_budget_bytes"], 2000);
  EXPECT_EQ(status["agreement"], 0.8);
  EXPECT_EQ(status["hit_rate"], 0.75);
  EXPECT_EQ(status["late"], 4);
  EXPECT_EQ(status["encoder"]["experts_per_source"], 2.5);
  EXPECT_EQ(status["agreement_by_layer"][0]["lead_ms"]["mean"], 3.0);
  EXPECT_TRUE(status["agreement_by_layer"][1]["lead_ms"].is_null());
}

TEST(Status, SharesOfNothingAreNull) {
  const json status = status_json({});
  EXPECT_TRUE(status["agreement"].is_null());
  EXPECT_TRUE(status["hit_rate"].is_null());
}

class AdminApi : public ::testing::Test {
 protected:
  Reply get(const std::string& path, const std::string& method = "GET") {
    return answer_admin({method, path, "", "", ""}, engine_, probe_);
  }
  FakeEngine engine_;
  HttpProbe probe_;
};

TEST_F(AdminApi, MetricsFollowPrometheusConventions) {
  engine_.state = example();
  probe_.request_answered("/v1/completions", "ok", std::chrono::milliseconds(3));
  const std::string text = get("/metrics").body;
  for (const char* line :
       {"# TYPE sida_requests_total counter", "sida_requests_total{endpoint=\"/v1/completions\",outcome=\"ok\"} 1",
        "sida_request_duration_seconds_bucket{endpoint=\"/v1/completions\",le=\"0.005\"} 1", "sida_ready 1",
        "sida_generation_tokens_total 42", "sida_resends_total{cause=\"lost\"} 3", "sida_encoder_experts_total 20",
        "sida_gate_agreed_total{layer=\"1\"} 70", "sida_worker_experts_resident{worker=\"worker-0\"} 8",
        "sida_process_state{name=\"worker-0\",role=\"expert-worker\",state=\"ready\"} 1"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST_F(AdminApi, ThePageLinksToStatusAndMetrics) {
  const Reply page = get("/");
  EXPECT_THAT(page.content_type, HasSubstr("text/html"));
  EXPECT_THAT(page.body, HasSubstr("href=\"/status\""));
  EXPECT_THAT(page.body, HasSubstr("href=\"/metrics\""));
}

TEST_F(AdminApi, ASupervisorTellsWhichProcessFailed) {
  const auto post = [this](const std::string& path, const std::string& body) {
    return answer_admin({"POST", path, "application/json", "", body}, engine_, probe_);
  };
  EXPECT_EQ(post("/processes/worker-0/failed", R"({"why": "no disk"})").status, 200U);
  EXPECT_EQ(engine_.failed, "worker-0: no disk");
  EXPECT_EQ(post("/processes/worker-9/failed", R"({"why": "x"})").status, 404U);
  EXPECT_EQ(post("/processes/worker-0/failed", R"({"why": 3})").status, 400U);
  EXPECT_EQ(get("/processes/worker-0/failed").status, 405U);
  EXPECT_EQ(get("/processes//failed").status, 404U);
  EXPECT_EQ(answer_admin({"POST", "/processes/worker-0/failed", "text/plain", "", "{}"}, engine_, probe_).status, 415U);
}

TEST_F(AdminApi, OtherPathsAndMethodsAreRefused) {
  EXPECT_EQ(get("/v1/completions").status, 404U);
  EXPECT_EQ(get("/status", "POST").status, 405U);
}

}  // namespace
}  // namespace sida::router

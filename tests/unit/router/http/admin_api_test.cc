// The admin port's endpoints.
#include "router/http/admin_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "router/http/dashboard.h"
#include "tests/unit/router/http/example_status.h"
#include "tests/unit/router/http/fake_engine.h"

namespace sida::router {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

class AdminApiTest : public ::testing::Test {
 protected:
  Reply get(const std::string& path, const std::string& method = "GET") {
    return api_.answer({method, path, "", "", ""});
  }
  FakeEngine engine_;
  HttpProbe probe_;
  AdminApi api_{engine_, "demo", probe_};
};

TEST_F(AdminApiTest, MetricsFollowPrometheusConventions) {
  engine_.state = example_status();
  probe_.request_answered("/v1/completions", "ok", std::chrono::milliseconds(3));
  const std::string text = get("/metrics").body;
  for (const char* line :
       {"# TYPE sida_requests_total counter", "sida_requests_total{endpoint=\"/v1/completions\",outcome=\"ok\"} 1",
        "sida_request_duration_seconds_bucket{endpoint=\"/v1/completions\",le=\"0.005\"} 1", "sida_ready 1",
        "sida_generation_tokens_total 42", "sida_resends_total{cause=\"lost\"} 3", "sida_encoder_experts_total 20",
        "sida_layer_expert_misses_total{layer=\"0\"} 10", "# TYPE sida_time_to_first_token_seconds histogram",
        "sida_predictor_sources_total{predictor=\"predictor-0\"} 4",
        "sida_predictor_sequences{predictor=\"predictor-1\"} 0",
        "sida_time_to_first_token_seconds_bucket{le=\"0.005\"} 1", "sida_gate_agreed_total{layer=\"1\"} 70",
        "sida_worker_experts_resident{worker=\"worker-0\"} 3",
        "sida_process_state{name=\"worker-0\",role=\"expert-worker\",state=\"ready\"} 1"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST_F(AdminApiTest, ThePageLinksToStatusAndMetrics) {
  const Reply page = get("/");
  EXPECT_THAT(page.content_type, HasSubstr("text/html"));
  EXPECT_THAT(page.body, HasSubstr("href=\"/status\""));
  EXPECT_THAT(page.body, HasSubstr("href=\"/metrics\""));
}

TEST_F(AdminApiTest, ASupervisorTellsWhichProcessFailed) {
  const auto post = [this](const std::string& path, const std::string& body) {
    return api_.answer({"POST", path, "application/json", "", body});
  };
  EXPECT_EQ(post("/processes/worker-0/failed", R"({"why": "no disk"})").status, 200U);
  EXPECT_EQ(engine_.failed, "worker-0: no disk");
  EXPECT_EQ(post("/processes/worker-9/failed", R"({"why": "x"})").status, 404U);
  EXPECT_EQ(post("/processes/worker-0/failed", R"({"why": 3})").status, 400U);
  EXPECT_EQ(get("/processes/worker-0/failed").status, 405U);
  EXPECT_EQ(get("/processes//failed").status, 404U);
  EXPECT_EQ(api_.answer({"POST", "/processes/worker-0/failed", "text/plain", "", "{}"}).status, 415U);
}

TEST_F(AdminApiTest, AnOperatorDrainsAWorker) {
  const auto post = [this](const std::string& path, const std::string& body, const std::string& type) {
    return api_.answer({"POST", path, type, "", body});
  };
  EXPECT_EQ(post("/workers/worker-0/drain", "", "application/json").status, 202U);
  EXPECT_EQ(engine_.drained, "worker-0");
  EXPECT_EQ(post("/workers/worker-0/drain", "{}", "application/json").status, 202U);
  EXPECT_EQ(post("/workers/worker-0/drain", R"({"x": 1})", "application/json").status, 400U);
  EXPECT_EQ(post("/workers/worker-0/drain", "[", "application/json").status, 400U);
  EXPECT_EQ(post("/workers/worker-9/drain", "", "application/json").status, 404U);
  EXPECT_EQ(post("/workers/worker-0/drain", "", "text/plain").status, 415U);
  EXPECT_EQ(get("/workers/worker-0/drain").status, 405U);
  EXPECT_EQ(get("/workers//drain").status, 404U);
}

TEST_F(AdminApiTest, AnOperatorTakesAWorkerBack) {
  const auto post = [this](const std::string& path) { return api_.answer({"POST", path, "application/json", "", ""}); };
  EXPECT_EQ(post("/workers/worker-0/undrain").status, 202U);
  EXPECT_EQ(engine_.undrained, "worker-0");
  EXPECT_EQ(engine_.drained, "");
  EXPECT_EQ(post("/workers/worker-9/undrain").status, 404U);
  EXPECT_EQ(get("/workers/worker-0/undrain").status, 405U);
}

TEST_F(AdminApiTest, APageInABrowserChangesNothing) {
  HttpRequest request{"POST", "/workers/worker-0/drain", "application/json", "", ""};
  request.origin = "http://rebound.example";
  EXPECT_EQ(api_.answer(request).status, 403U);
  EXPECT_EQ(engine_.drained, "");
}

TEST_F(AdminApiTest, OtherPathsAndMethodsAreRefused) {
  EXPECT_EQ(get("/v1/completions").status, 404U);
  EXPECT_EQ(get("/status", "POST").status, 405U);
}

TEST_F(AdminApiTest, StatusNamesTheModelAndTellsOfEachExpertOnlyWhenAsked) {
  engine_.state = example_status();
  const json plain = json::parse(get("/status").body);
  EXPECT_EQ(plain["model"]["name"], "demo");
  EXPECT_FALSE(plain.contains("experts"));
  const json full = json::parse(api_.answer({"GET", "/status", "", "", "", "experts=1"}).body);
  EXPECT_EQ(full["experts"]["rows"], json({{0, 2, 1, 0}, {0, 0, 0, 0}}));
  EXPECT_EQ(full["experts"]["resident"], json({{"worker-0", {{1, 2}, {0}}}}));
  EXPECT_EQ(api_.answer({"GET", "/status", "", "", "", "expert=1"}).status, 400U);
}

TEST_F(AdminApiTest, ThePageRunsItsOwnScriptAndStyleOnly) {
  const Reply page = get("/");
  std::string policy;
  for (const auto& [name, value] : page.headers) {
    if (name == "Content-Security-Policy") policy = value;
  }
  EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(policy, HasSubstr("script-src 'sha256-"));
  EXPECT_THAT(policy, HasSubstr("style-src 'sha256-"));
  EXPECT_THAT(policy, HasSubstr("frame-ancestors 'none'"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  // Attributes that the policy would block, and whatever comes from elsewhere.
  for (const char* banned : {" style=", " onclick=", " onload=", "//cdn", "https:", "innerHTML", "@import"}) {
    EXPECT_THAT(page.body, Not(HasSubstr(banned)));
  }
}

TEST(ContentSecurityPolicy, NeedsOneStyleAndOneScript) {
  EXPECT_NE(content_security_policy("<style>a</style><script>b</script>"), "");
  EXPECT_EQ(content_security_policy("<style>a</style>"), "");
  EXPECT_EQ(content_security_policy("<style>a</style><script>b</script><script>c</script>"), "");
  EXPECT_EQ(content_security_policy("<style>a</style><script src=x></script><script>b</script>"), "");
}

TEST(ContentSecurityPolicy, HoldsTheSha256OfWhatIsBetweenTheTags) {
  // printf b | sha256sum | xxd -r -p | base64
  EXPECT_THAT(content_security_policy("<style>a</style><script>b</script>"),
              HasSubstr("script-src 'sha256-PiPoFgA5WUoziU9lZOGxNIu9egCI1CxKy3PurtWcAJ0='"));
}

}  // namespace
}  // namespace sida::router

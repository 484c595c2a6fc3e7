#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/error_line.h"
#include "cli/generate_output.h"
#include "cli/http_client.h"
#include "cli/score_input.h"
#include "cli/status_output.h"

namespace sida::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json answer() {
  return {{"choices",
           {{{"text", "ship"},
             {"token_ids", {7, 1}},
             {"prompt_token_ids", {5, 1}},
             {"finish_reason", "stop"},
             {"routing",
              {{"mode", "exact"},
               {"agreement", 0.5},
               {"hits", 3},
               {"rows_by_worker", {{"worker-0", 4}}},
               {"experts", {{"encoder", {{3, -1}}}, {"decoder", {{2}}}, {"by_worker", {{"worker-0", {{0, 3}}}}}}}}}}}},
          {"usage", {{"prompt_tokens", 2}}}};
}

TEST(GenerateOutput, HasTheKeysThatOthersRelyOn) {
  const json output = *generate_output(answer(), true);
  EXPECT_EQ(output["input_ids"], json({5, 1}));
  EXPECT_EQ(output["token_ids"], json({7, 1}));
  EXPECT_EQ(output["text"], "ship");
  EXPECT_EQ(output["finish_reason"], "stop");
  EXPECT_EQ(output["usage"]["prompt_tokens"], 2);
  EXPECT_EQ(output["routing"]["mode"], "exact");
  EXPECT_EQ(output["experts"]["encoder"], json({{3, -1}}));
  EXPECT_EQ(output["experts"]["decoder"], json({{2}}));
}

TEST(GenerateOutput, LeavesExpertsOutUnlessAsked) {
  EXPECT_FALSE(generate_output(answer(), false)->contains("experts"));
}

TEST(GenerateOutput, RefusesAnswersOfAnotherServer) {
  for (const json& other :
       {json(), json::object(), json{{"choices", json::array()}}, json{{"choices", {{{"text", "x"}}}}}}) {
    EXPECT_FALSE(generate_output(other, false));
  }
}

TEST(GenerateOutput, TellsPeopleWhichWorkerServedWhichExpert) {
  const std::string text = generate_text(*generate_output(answer(), true));
  EXPECT_THAT(text, ::testing::StartsWith("ship\n"));
  EXPECT_THAT(text, HasSubstr("MoE layer 0: 3 -1"));
  EXPECT_THAT(text, HasSubstr("worker-0: 4 rows; layer/expert 0/3"));
  EXPECT_THAT(text, HasSubstr("50.0 %"));
}

TEST(ScoreLines, TakeTextOrIds) {
  const auto bodies =
      parse_score_lines("{\"prompt\":\"a\",\"target\":\"b\"}\n\n{\"input_ids\":[1],\"target_ids\":[2]}");
  ASSERT_TRUE(bodies);
  EXPECT_EQ((*bodies)[0], json({{"prompt", "a"}, {"target", "b"}}));
  EXPECT_EQ((*bodies)[1], json({{"prompt", json::array({1})}, {"target", json::array({2})}}));
}

TEST(ScoreLines, NameTheLineThatIsWrong) {
  EXPECT_THAT(parse_score_lines("{\"prompt\":\"a\",\"target\":\"b\"}\nnonsense").error().message, HasSubstr("line 2"));
  EXPECT_FALSE(parse_score_lines("{\"prompt\":\"a\"}"));
  EXPECT_FALSE(parse_score_lines("{\"prompt\":\"a\",\"input_ids\":[1],\"target\":\"b\"}"));
  EXPECT_FALSE(parse_score_lines("\n\n"));
}

TEST(StatusText, ShowsProcessesWorkersAndRates) {
  const std::string text = status_text(
      {{"processes", {{{"name", "worker-0"}, {"role", "expert-worker"}, {"state", "ready"}, {"pid", 7}}}},
       {"workers", {{{"name", "worker-0"}, {"experts_resident", 8}, {"memory_bytes", 5U << 20U}, {"hit_rate", 0.25}}}},
       {"predictors", {{{"name", "predictor-0"}, {"kind", "learned"}, {"sequences", 3}, {"core_share", 0.125}}}},
       {"agreement_by_layer", {{{"layer", 0}, {"late", 3}, {"lead_ms", {{"p1", 0.5}, {"p50", 4.0}}}}, {{"layer", 1}}}},
       {"ready", true},
       {"agreement", nullptr}});
  EXPECT_THAT(text, HasSubstr("worker-0  expert-worker  ready"));
  EXPECT_THAT(text, HasSubstr("5 MiB"));
  EXPECT_THAT(text, HasSubstr("predictor-0  learned  3"));
  EXPECT_THAT(text, HasSubstr("12.5 %"));
  EXPECT_THAT(text, HasSubstr("25.0 %"));
  EXPECT_THAT(text, HasSubstr("agreement with the gate -"));
  EXPECT_THAT(text, HasSubstr("0.5, 4.0"));
}

TEST(ParseUrl, TakesHostAndPort) {
  EXPECT_EQ(parse_url("http://127.0.0.1:8000"), (Url{"127.0.0.1", "8000"}));
  EXPECT_EQ(parse_url("http://localhost/"), (Url{"localhost", "80"}));
  EXPECT_EQ(parse_url("http://[::1]:9"), (Url{"::1", "9"}));
}

TEST(ParseUrl, RefusesEverythingElse) {
  for (const char* text : {"", "127.0.0.1:8000", "https://x", "http://", "http://x:", "http://x:port", "http://x/v1",
                           "http://[::1", "http://:80"}) {
    EXPECT_FALSE(parse_url(text)) << text;
  }
}

TEST(ErrorLine, IsReadAsItIsWritten) {
  const Error error{ErrorCode::kInvalidModel, "config.json: what: is wrong"};
  EXPECT_EQ(parse_error_line(error_line(error)), error);
  EXPECT_EQ(parse_error_line("all is well"), std::nullopt);
  EXPECT_EQ(parse_error_line("error: odd: x")->code, ErrorCode::kInternal);
}

TEST(ErrorOf, KeepsTheCodeThatTheRouterTold) {
  EXPECT_EQ(error_of({503, {{"error", {{"code", "overloaded"}, {"message", "full"}}}}}),
            (Error{ErrorCode::kOverloaded, "full"}));
  EXPECT_EQ(error_of({400, {{"error", {{"code", "unsupported"}, {"message", "no"}}}}}).code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(error_of({502, json()}).code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace sida::cli

#include "cli/traced_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "router/http/gates_json.h"

namespace sida::cli {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What the router says of a source of two tokens and a target of one, one MoE layer per stack and three experts.
json routing() {
  router::RoutingReport report;
  report.encoder_gates = {{3, {2, 0}, {2, 0, 1, 0, 1, 2}, {0.5F, 0.25F, 0.25F, 1, 0, 0}}};
  report.decoder_gates = {{3, {1}, {1, 2, 0}, {0.75F, 0.125F, 0.125F}}};
  return {{"gates", router::gates_json(report)}, {"experts", {{"encoder", {{2, -1}}}, {"decoder", {{1}}}}}};
}

trace::TraceHeader header() {
  return {.num_experts = 3, .encoder_layers = 1, .decoder_layers = 1, .vocab_size = 100, .decoder_start_token = 0};
}

const TraceJob kScored{4, "short", {5, 1}, {9}};
const TraceJob kGenerated{5, "", {5, 1}, {}};

json score_answer() {
  return {{"token_ids", {9}}, {"routing", routing()}};
}

TEST(TracedAnswer, HoldsWhatTheRouterSaysOfATarget) {
  const auto sequence = traced_answer(header(), kScored, score_answer());
  ASSERT_TRUE(sequence) << sequence.error().message;
  EXPECT_EQ(sequence->ordinal, 4U);
  EXPECT_EQ(sequence->task, "short");
  EXPECT_TRUE(sequence->teacher_forced);
  EXPECT_THAT(sequence->source, ElementsAre(5, 1));
  EXPECT_THAT(sequence->target, ElementsAre(9));
  const auto& layer = sequence->encoder.at(0);
  EXPECT_THAT(layer.gate, ElementsAre(2, 0));
  EXPECT_THAT(layer.served, ElementsAre(2, -1));
  EXPECT_THAT(layer.top_experts, ElementsAre(2, 0, 1, 0, 1, 2));
  EXPECT_EQ(layer.top_log_probabilities[0], std::log(0.5F));
  EXPECT_EQ(layer.top_log_probabilities[3], 0);
  EXPECT_EQ(layer.top_log_probabilities[4], trace::kLogProbabilityMin);
  EXPECT_THAT(sequence->decoder.at(0).served, ElementsAre(1));
}

TEST(TracedAnswer, HoldsWhatTheModelWrote) {
  const auto sequence = traced_answer(header(), kGenerated, {{"choices", json::array({score_answer()})}});
  ASSERT_TRUE(sequence) << sequence.error().message;
  EXPECT_FALSE(sequence->teacher_forced);
  EXPECT_THAT(sequence->target, ElementsAre(9));
}

TEST(TracedAnswer, RefusesWhatDoesNotFit) {
  const auto refusal = [](const trace::TraceHeader& of, const json& answer) {
    const auto sequence = traced_answer(of, kScored, answer);
    return sequence ? "" : sequence.error().message;
  };
  auto other = header();
  other.num_experts = 4;
  EXPECT_THAT(refusal(other, score_answer()), HasSubstr("another length"));
  other = header();
  other.encoder_layers = 2;
  EXPECT_THAT(refusal(other, score_answer()), HasSubstr("number of MoE layers"));
  EXPECT_THAT(refusal(header(), json::array()), HasSubstr("no routing"));
  auto answer = score_answer();
  answer["token_ids"] = {100};
  EXPECT_THAT(refusal(header(), answer), HasSubstr("outside the vocabulary"));
  answer = score_answer();
  answer["token_ids"] = {9, 9};
  EXPECT_THAT(refusal(header(), answer), HasSubstr("number of tokens"));
  answer = score_answer();
  answer["routing"]["experts"]["encoder"] = {{2, 3}};
  EXPECT_THAT(refusal(header(), answer), HasSubstr("does not have"));
  answer = score_answer();
  answer["routing"].erase("gates");
  EXPECT_THAT(refusal(header(), answer), HasSubstr("no gates"));
  answer = score_answer();
  answer["routing"]["gates"]["decoder"][0]["choice"] = "????";
  EXPECT_THAT(refusal(header(), answer), HasSubstr("choice"));
}

TEST(TraceQuestion, ScoresTargetsAndGeneratesWithoutOne) {
  EXPECT_STREQ(trace_question(kScored, 8).path, "/v1/score");
  EXPECT_EQ(trace_question(kScored, 8).body["target"], json({9}));
  EXPECT_STREQ(trace_question(kGenerated, 8).path, "/v1/completions");
  EXPECT_EQ(trace_question(kGenerated, 8).body["max_tokens"], 8);
}

}  // namespace
}  // namespace sida::cli

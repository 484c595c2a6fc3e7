#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "router/http/completions_request.h"
#include "router/http/completions_response.h"
#include "router/http/score.h"
#include "router/http/tokenize.h"
#include "tests/unit/router/http/fake_engine.h"

namespace sida::router {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class Completions : public ::testing::Test {
 protected:
  ApiResult<CompletionsRequest> parse(const json& body) { return parse_completions(body, model_, limits_, 77); }
  std::string refused_field(const json& body) {
    const auto parsed = parse(body);
    return parsed ? "accepted" : parsed.error().param;
  }

  ByteTokenizer tokenizer_;
  ServedModel model_{"demo", &tokenizer_, 256, 0, {1}};
  HttpLimits limits_;
};

TEST_F(Completions, APromptIsAStringStringsIdsOrListsOfIds) {
  EXPECT_THAT(parse({{"prompt", "ab"}})->prompts, ElementsAre(ElementsAre('a', 'b', 1)));
  EXPECT_THAT(parse({{"prompt", {"a", "b"}}})->prompts, ElementsAre(ElementsAre('a', 1), ElementsAre('b', 1)));
  EXPECT_THAT(parse({{"prompt", {5, 6, 1}}})->prompts, ElementsAre(ElementsAre(5, 6, 1)));
  EXPECT_THAT(parse({{"prompt", {{5, 1}, {6, 1}}}})->prompts, ElementsAre(ElementsAre(5, 1), ElementsAre(6, 1)));
}

TEST_F(Completions, OtherPromptsAreRefused) {
  for (const auto& prompt : {json(), json(7), json::array(), json{"a", 1}, json{256}, json{-1}, json{1.5}, json{{}},
                             json::array({json::array()}), json(true), json{{"a", 1}}}) {
    EXPECT_EQ(refused_field({{"prompt", prompt}}), "prompt") << prompt;
  }
}

TEST_F(Completions, DefaultsAreThoseOfOpenAi) {
  const auto request = parse({{"prompt", "a"}});
  EXPECT_EQ(request->sampling.max_new_tokens, 16);
  EXPECT_EQ(request->sampling.temperature, 1);
  EXPECT_EQ(request->sampling.seed, 77U);
  EXPECT_EQ(request->choices_per_prompt, 1);
  EXPECT_FALSE(request->want_logprobs);
}

TEST_F(Completions, EverySamplingFieldIsPassedOn) {
  const auto request = parse({{"prompt", "a"},
                              {"max_tokens", 9},
                              {"min_tokens", 3},
                              {"temperature", 0.5},
                              {"top_p", 0.9},
                              {"top_k", 7},
                              {"repetition_penalty", 1.2},
                              {"no_repeat_ngram_size", 2},
                              {"seed", 5},
                              {"logprobs", 2}});
  ASSERT_TRUE(request);
  const SamplingParams& s = request->sampling;
  EXPECT_EQ(s.max_new_tokens, 9);
  EXPECT_EQ(s.min_new_tokens, 3);
  EXPECT_FLOAT_EQ(s.temperature, 0.5F);
  EXPECT_FLOAT_EQ(s.top_p, 0.9F);
  EXPECT_EQ(s.top_k, 7);
  EXPECT_FLOAT_EQ(s.repetition_penalty, 1.2F);
  EXPECT_EQ(s.no_repeat_ngram_size, 2);
  EXPECT_EQ(s.seed, 5U);
  EXPECT_EQ(s.logprobs, 2);
}

TEST_F(Completions, ValuesOutOfRangeAreRefusedByName) {
  EXPECT_EQ(refused_field({{"prompt", "a"}, {"max_tokens", 0}}), "max_tokens");
  EXPECT_EQ(refused_field({{"prompt", "a"}, {"max_tokens", 1.5}}), "max_tokens");
  EXPECT_EQ(refused_field({{"prompt", "a"}, {"max_tokens", limits_.output_tokens_max + 1}}), "max_tokens");
  EXPECT_EQ(refused_field({{"prompt", "a"}, {"min_tokens", 17}}), "min_tokens");
  EXPECT_EQ(refused_field({{"prompt", "a"}, {"temperature", -0.1}}), "temperature");
  EXPECT_EQ(refused_field({{"prompt", "a"}, {"temperature", "1"}}), "temperature");
  EXPECT_EQ(refused_field({{"prompt", "a"}, {"top_p", 0}}), "top_p");
  EXPECT_EQ(refused_field({{"prompt", "a"}, {"seed", -1}}), "seed");
  EXPECT_EQ(refused_field({{"prompt", "a"}, {"logprobs", 6}}), "logprobs");
  EXPECT_EQ(refused_field({{"prompt", "a"}, {"stop", {"", "b"}}}), "stop");
  EXPECT_EQ(refused_field({{"prompt", "a"}, {"stop", {"1", "2", "3", "4", "5"}}}), "stop");
  EXPECT_EQ(refused_field({{"prompt", "a"}, {"routing", "quick"}}), "routing");
  EXPECT_EQ(refused_field({{"prompt", "a"}, {"max_token", 5}}), "max_token");
}

TEST_F(Completions, WhatIsNotServedYetSaysSoByCode) {
  for (const auto& [field, value] : {std::pair{"suffix", json("x")}, std::pair{"presence_penalty", json(1)},
                                     std::pair{"logit_bias", json{{"5", 1}}}}) {
    const auto parsed = parse({{"prompt", "a"}, {field, value}});
    ASSERT_FALSE(parsed) << field;
    EXPECT_EQ(parsed.error().code, "unsupported") << field;
  }
}

TEST_F(Completions, RoutingIsThatOfTheRequestElseTheRoutersDefault) {
  EXPECT_EQ(jobs_of(*parse({{"prompt", "a"}, {"routing", "predicted"}})).front().routing, RoutingMode::kPredicted);
  EXPECT_EQ(jobs_of(*parse({{"prompt", "a"}, {"routing", "exact"}})).front().routing, RoutingMode::kExact);
  EXPECT_EQ(jobs_of(*parse({{"prompt", "a"}})).front().routing, std::nullopt);
}

TEST_F(Completions, UsageInAStreamIsAnOptionOfStreams) {
  EXPECT_TRUE(parse({{"prompt", "a"}, {"stream", true}})->stream);
  EXPECT_TRUE(parse({{"prompt", "a"}, {"stream", true}, {"stream_options", {{"include_usage", true}}}})->stream_usage);
  EXPECT_EQ(refused_field({{"prompt", "a"}, {"stream_options", {{"include_usage", true}}}}), "stream_options");
  EXPECT_EQ(refused_field({{"prompt", "a"}, {"stream", true}, {"stream_options", {{"usage", true}}}}),
            "stream_options");
}

TEST_F(Completions, FieldsThatChangeNothingAreAccepted) {
  EXPECT_TRUE(parse({{"prompt", "a"},
                     {"model", "demo"},
                     {"stream", false},
                     {"echo", false},
                     {"suffix", nullptr},
                     {"best_of", 1},
                     {"frequency_penalty", 0},
                     {"logit_bias", json::object()},
                     {"user", "someone"},
                     {"routing", "exact"}}));
}

TEST_F(Completions, EchoIsTextAndHasNoLogprobs) {
  const auto parsed = parse({{"prompt", {"ab", "c"}}, {"n", 2}, {"echo", true}});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(echo_of(*parsed, 1), "ab");
  EXPECT_EQ(echo_of(*parsed, 2), "c");
  EXPECT_EQ(echo_of(*parse({{"prompt", {97, 98, 1}}, {"echo", true}}), 0), "ab");
  EXPECT_EQ(echo_of(*parse({{"prompt", "ab"}}), 0), "");
  EXPECT_EQ(refused_field({{"prompt", "a"}, {"echo", true}, {"logprobs", 1}}), "echo");
}

TEST_F(Completions, AnotherModelIsNotFound) {
  const auto parsed = parse({{"prompt", "a"}, {"model", "other"}});
  EXPECT_EQ(parsed.error().status, 404U);
  EXPECT_EQ(parsed.error().code, "model_not_found");
}

TEST_F(Completions, TooManyPromptsAreRefused) {
  limits_.prompts_max = 2;
  EXPECT_TRUE(parse({{"prompt", {"a", "b"}}}));
  EXPECT_EQ(refused_field({{"prompt", {"a", "b", "c"}}}), "prompt");
  EXPECT_EQ(refused_field({{"prompt", {"a", "b"}}, {"n", 2}}), "prompt");
}

TEST_F(Completions, TooLongPromptsAreRefused) {
  limits_.prompt_tokens_max = 3;
  EXPECT_TRUE(parse({{"prompt", "ab"}}));
  EXPECT_EQ(parse({{"prompt", "abc"}}).error().code, "context_length_exceeded");
  EXPECT_EQ(parse({{"prompt", {1, 2, 3, 4}}}).error().code, "context_length_exceeded");
  // So long that it is refused before it is turned into tokens.
  EXPECT_EQ(parse({{"prompt", std::string(1000, 'a')}}).error().code, "context_length_exceeded");
}

TEST_F(Completions, MoreTokensThanARequestMayTakeAreRefused) {
  limits_.request_tokens_max = 24;
  const json two = {{"prompt", {"a", "b"}}, {"max_tokens", 4}};
  EXPECT_TRUE(parse(two)) << "2 * (2 + 4) tokens";
  json four = two;
  four["n"] = 2;
  EXPECT_TRUE(parse(four));
  four["max_tokens"] = 5;
  const auto refused = parse(four);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "context_length_exceeded");
  EXPECT_THAT(refused.error().message, HasSubstr("come to 28 tokens, and 24 are allowed"));
}

TEST_F(Completions, AModelWithoutTokenizerTakesIdsOnly) {
  model_.tokenizer = nullptr;
  EXPECT_THAT(parse({{"prompt", "a"}}).error().message, HasSubstr("no tokenizer"));
  EXPECT_EQ(refused_field({{"prompt", {5}}, {"stop", "x"}}), "stop");
  EXPECT_TRUE(parse({{"prompt", {5}}}));
}

TEST_F(Completions, EachChoiceIsAJobWithASeedOfItsOwn) {
  const auto jobs = jobs_of(*parse({{"prompt", {"a", "b"}}, {"n", 2}, {"seed", 3}}));
  ASSERT_THAT(jobs, SizeIs(4));
  EXPECT_THAT(std::get<GenerateJob>(jobs[1].work).input_ids, ElementsAre('a', 1));
  EXPECT_THAT(std::get<GenerateJob>(jobs[2].work).input_ids, ElementsAre('b', 1));
  EXPECT_EQ(std::get<GenerateJob>(jobs[3].work).sampling.seed, 6U);
}

TEST_F(Completions, BestOfComputesMoreThanItTells) {
  const auto request = parse({{"prompt", {"a", "b"}}, {"n", 2}, {"best_of", 3}, {"seed", 3}});
  ASSERT_TRUE(request) << request.error().message;
  const auto jobs = jobs_of(*request);
  ASSERT_THAT(jobs, SizeIs(6));
  EXPECT_THAT(std::get<GenerateJob>(jobs[3].work).input_ids, ElementsAre('b', 1));
  EXPECT_EQ(std::get<GenerateJob>(jobs[5].work).sampling.seed, 8U);
  EXPECT_EQ(refused_field({{"prompt", "a"}, {"n", 2}, {"best_of", 1}}), "best_of");
  EXPECT_EQ(refused_field({{"prompt", "a"}, {"best_of", 2}, {"stream", true}}), "stream");
  EXPECT_EQ(refused_field({{"prompt", "a"}, {"n", 2}, {"best_of", 2}, {"stream", true}}), "accepted");
  limits_.prompts_max = 4;
  EXPECT_EQ(refused_field({{"prompt", {"a", "b"}}, {"best_of", 3}}), "prompt");
}

TEST_F(Completions, ABeamSearchIsOneJobPerPrompt) {
  const auto request = parse({{"prompt", {"a", "b"}},
                              {"n", 2},
                              {"best_of", 4},
                              {"use_beam_search", true},
                              {"length_penalty", 0.5},
                              {"early_stopping", "never"}});
  ASSERT_TRUE(request) << request.error().message;
  const auto jobs = jobs_of(*request);
  ASSERT_THAT(jobs, SizeIs(2));
  const SamplingParams& sampling = std::get<GenerateJob>(jobs[1].work).sampling;
  EXPECT_EQ(sampling.temperature, 0);
  ASSERT_TRUE(sampling.beam_search);
  EXPECT_EQ(sampling.beam_search->beams, 4);
  EXPECT_EQ(sampling.beam_search->returned, 2);
  EXPECT_EQ(sampling.beam_search->length_penalty, 0.5);
  EXPECT_EQ(sampling.beam_search->early_stopping, EarlyStopping::kNever);
  EXPECT_EQ(parse({{"prompt", "a"}, {"n", 3}, {"use_beam_search", true}})->sampling.beam_search->beams, 3);
  EXPECT_FALSE(parse({{"prompt", "a"}, {"n", 3}})->sampling.beam_search);
}

TEST_F(Completions, WhatGoesNotWithABeamSearchIsRefusedByName) {
  const auto refused = [this](const json& more) {
    json body{{"prompt", "a"}, {"best_of", 2}, {"use_beam_search", true}};
    body.update(more);
    return refused_field(body);
  };
  EXPECT_EQ(refused(json::object()), "accepted");
  EXPECT_EQ(refused({{"temperature", 0}, {"top_p", 1}, {"top_k", -1}, {"early_stopping", true}}), "accepted");
  EXPECT_EQ(refused({{"best_of", 1}}), "best_of");
  EXPECT_EQ(refused({{"n", 3}}), "best_of");
  EXPECT_EQ(refused({{"temperature", 0.5}}), "temperature");
  EXPECT_EQ(refused({{"top_p", 0.5}}), "top_p");
  EXPECT_EQ(refused({{"top_k", 5}}), "top_k");
  EXPECT_EQ(refused({{"stop", "x"}}), "stop");
  EXPECT_EQ(refused({{"stream", true}}), "stream");
  EXPECT_EQ(refused({{"return_gates", true}}), "return_gates");
  EXPECT_EQ(refused({{"length_penalty", 11}}), "length_penalty");
  EXPECT_EQ(refused({{"early_stopping", "soon"}}), "early_stopping");
  EXPECT_EQ(refused({{"early_stopping", 1}}), "early_stopping");
  EXPECT_EQ(refused_field({{"prompt", "a"}, {"length_penalty", 1}}), "length_penalty");
  EXPECT_EQ(refused_field({{"prompt", "a"}, {"early_stopping", true}}), "early_stopping");
}

JobResult result_of(const std::string& text, FinishReason reason) {
  JobResult result;
  for (const char c : text) {
    result.tokens.push_back({c, -0.25F, {{c, -0.25F}, {'z', -3.0F}}});
  }
  result.finish_reason = reason;
  return result;
}

TEST_F(Completions, TheReplyHasOpenAisShape) {
  const auto request = *parse({{"prompt", "ab"}});
  JobResult result = result_of("hi", FinishReason::kStop);
  result.tokens.push_back({1, -0.1F, {}});  // The end token is counted and is no text.

  const json reply = completions_response({"cmpl-1", 123}, request, model_, {result});

  EXPECT_EQ(reply,
            json({{"id", "cmpl-1"},
                  {"object", "text_completion"},
                  {"created", 123},
                  {"model", "demo"},
                  {"choices", {{{"index", 0}, {"text", "hi"}, {"logprobs", nullptr}, {"finish_reason", "stop"}}}},
                  {"usage", {{"prompt_tokens", 3}, {"completion_tokens", 3}, {"total_tokens", 6}}}}));
}

TEST_F(Completions, AStopStringEndsTextAndTokens) {
  const auto request = *parse({{"prompt", "a"}, {"stop", {"XX", "ll"}}, {"return_token_ids", true}});
  const json reply =
      completions_response({"cmpl-1", 1}, request, model_, {result_of("hello you", FinishReason::kLength)});
  const json& choice = reply["choices"][0];
  EXPECT_EQ(choice["text"], "he");
  EXPECT_EQ(choice["finish_reason"], "stop");
  EXPECT_EQ(choice["token_ids"], json({'h', 'e', 'l', 'l'}));
  EXPECT_EQ(reply["usage"]["completion_tokens"], 4);
}

TEST_F(Completions, LogprobsNameTokensAndOffsets) {
  const auto request = *parse({{"prompt", "a"}, {"logprobs", 2}});
  const json reply = completions_response({"cmpl-1", 1}, request, model_, {result_of("hi", FinishReason::kLength)});
  EXPECT_EQ(reply["choices"][0]["logprobs"],
            json({{"tokens", {"h", "i"}},
                  {"token_logprobs", {-0.25, -0.25}},
                  {"top_logprobs", {{{"h", -0.25}, {"z", -3.0}}, {{"i", -0.25}, {"z", -3.0}}}},
                  {"text_offset", {0, 1}}}));
}

TEST_F(Completions, BestOfTellsTheMostLikelyPerToken) {
  const auto request = *parse({{"prompt", {"a", "b"}}, {"n", 2}, {"best_of", 3}});
  const auto likely = [](const std::string& text, float logprob) {
    JobResult result = result_of(text, FinishReason::kLength);
    for (GeneratedToken& token : result.tokens) token.logprob = logprob;
    return result;
  };
  const json reply = completions_response(
      {"", 1}, request, model_,
      {likely("long", -1), likely("s", -2), likely("mid", -0.5F), likely("x", -3), likely("y", -3), likely("z", -1)});
  std::vector<std::string> texts;
  for (const json& choice : reply["choices"]) texts.push_back(choice["text"]);
  EXPECT_THAT(texts, ElementsAre("mid", "long", "z", "x"));
  EXPECT_EQ(reply["choices"][3]["index"], 3);
  EXPECT_EQ(reply["usage"]["completion_tokens"], 11) << "all that were generated";
}

TEST_F(Completions, BeamsAreChoicesWithScoresAndTheirOwnRoutes) {
  const auto request = *parse({{"prompt", "a"},
                               {"n", 2},
                               {"best_of", 3},
                               {"use_beam_search", true},
                               {"return_routing", true},
                               {"return_token_ids", true}});
  JobResult result;
  result.beams = {{result_of("hi", FinishReason::kStop).tokens, {0, 2}, FinishReason::kStop, -0.5F},
                  {result_of("ho", FinishReason::kStop).tokens, {0, 1}, FinishReason::kLength, -0.75F}};
  result.routing.decoder_experts = {{7, 8, 9, 10}};
  const json reply = completions_response({"", 1}, request, model_, {result});
  ASSERT_EQ(reply["choices"].size(), 2U);
  EXPECT_EQ(reply["choices"][0]["text"], "hi");
  EXPECT_EQ(reply["choices"][0]["score"], -0.5);
  EXPECT_EQ(reply["choices"][0]["routing"]["experts"]["decoder"], json({{7, 9}}));
  EXPECT_EQ(reply["choices"][1]["finish_reason"], "length");
  EXPECT_EQ(reply["choices"][1]["routing"]["experts"]["decoder"], json({{7, 8}}));
  EXPECT_EQ(reply["choices"][1]["prompt_token_ids"], json({'a', 1}));
  EXPECT_EQ(reply["usage"]["completion_tokens"], 4);
}

TEST_F(Completions, SentinelsStayInTheText) {
  JobResult result;
  result.tokens = {{0, 0, {}}, {200, 0, {}}, {'a', 0, {}}, {1, 0, {}}};
  const json reply = completions_response({"cmpl-1", 1}, *parse({{"prompt", "a"}}), model_, {result});
  EXPECT_EQ(reply["choices"][0]["text"], "<200>a");
}

TEST_F(Completions, RoutingIsReportedOnRequest) {
  JobResult result = result_of("h", FinishReason::kLength);
  result.routing = {.mode = RoutingMode::kGated, .routed = 6, .predicted = 5, .compared = 4, .agreed = 3, .late = 1};
  result.routing.encoder_experts = {{0, -1}};
  result.routing.decoder_experts = {{2}};
  result.routing.rows_by_worker = {{"worker-0", 5}};
  result.routing.experts_by_worker = {{"worker-0", {{LayerId(1), ExpertId(2)}}}};
  const auto request = *parse({{"prompt", "a"}, {"return_routing", true}});
  EXPECT_TRUE(jobs_of(request)[0].return_experts);
  const json routing = completions_response({"", 1}, request, model_, {result})["choices"][0]["routing"];
  EXPECT_EQ(routing["mode"], "gated");
  EXPECT_EQ(routing["late"], 1);
  EXPECT_EQ(routing["agreement"], 0.75);
  EXPECT_EQ(routing["experts"]["encoder"], json({{0, -1}}));
  EXPECT_EQ(routing["rows_by_worker"]["worker-0"], 5);
  EXPECT_EQ(routing["experts"]["by_worker"]["worker-0"], json::array({{1, 2}}));
}

TEST_F(Completions, AgreementIsNullWhenNothingWasPredicted) {
  EXPECT_TRUE(routing_json({})["agreement"].is_null());
}

TEST_F(Completions, GatesAreReportedOnRequest) {
  const auto request = *parse({{"prompt", "a"}, {"return_gates", true}});
  EXPECT_TRUE(jobs_of(request)[0].return_gates);
  EXPECT_EQ(jobs_of(request)[0].routing, RoutingMode::kExact);
  EXPECT_TRUE(jobs_of(request)[0].return_experts) << "without which nobody knows what was dropped";
  JobResult result = result_of("h", FinishReason::kLength);
  result.routing.encoder_gates = {{2, {1}, {1, 0}, {0.5F, 0.25F}}};
  const json gates = completions_response({"", 1}, request, model_, {result})["choices"][0]["routing"]["gates"];
  EXPECT_EQ(gates,
            json({{"top", 2},
                  {"encoder", {{{"choice", "AQA="}, {"experts", "AQAAAA=="}, {"probabilities", "AAAAPwAAgD4="}}}},
                  {"decoder", json::array()}}));
  EXPECT_FALSE(routing_json({}).contains("gates"));
}

TEST_F(Completions, GatesAreOfOneChoiceThatIsNotStreamed) {
  for (const json& more :
       {json({{"n", 2}}), json({{"stream", true}}), json({{"routing", "gated"}}), json({{"prompt", {"a", "b"}}})}) {
    json body{{"prompt", "a"}, {"return_gates", true}};
    body.update(more);
    EXPECT_EQ(parse(body).error().param, "return_gates") << more;
  }
}

using Score = Completions;

TEST_F(Score, TakesTextOrIdsOnEitherSide) {
  const auto request = parse_score({{"prompt", "ab"}, {"target", {7, 1}}}, model_, limits_);
  EXPECT_THAT(request->work.input_ids, ElementsAre('a', 'b', 1));
  EXPECT_THAT(request->work.target_ids, ElementsAre(7, 1));
}

TEST_F(Score, RefusesWhatIsMissingEmptyOrTooLong) {
  limits_.output_tokens_max = 2;
  EXPECT_EQ(parse_score({{"prompt", "ab"}}, model_, limits_).error().param, "target");
  EXPECT_EQ(parse_score({{"prompt", json::array()}, {"target", "a"}}, model_, limits_).error().param, "prompt");
  EXPECT_EQ(parse_score({{"prompt", "a"}, {"target", "ab"}}, model_, limits_).error().code, "context_length_exceeded");
}

TEST_F(Score, PerplexityIsTheExponentOfTheMeanLoss) {
  const auto request = *parse_score({{"prompt", "ab"}, {"target", {7, 1}}}, model_, limits_);
  JobResult result;
  result.target_logprobs = {-1.0F, -2.0F};
  const json reply = score_response({"score-1", 1}, request, model_, result);
  EXPECT_EQ(reply["logprobs"], json({-1.0, -2.0}));
  EXPECT_NEAR(reply["perplexity"].get<double>(), std::exp(1.5), 1e-9);
}

using Tokenize = Completions;

TEST_F(Tokenize, GoesToIdsAndBack) {
  const json ids = *tokenize({{"prompt", "ab"}}, model_, limits_);
  EXPECT_EQ(ids["tokens"], json({'a', 'b', 1}));
  EXPECT_EQ(ids["count"], 3);
  EXPECT_EQ((*tokenize({{"prompt", "ab"}, {"add_special_tokens", false}}, model_, limits_))["count"], 2);
  EXPECT_EQ((*detokenize({{"tokens", {'a', 'b'}}}, model_))["prompt"], "ab");
  EXPECT_EQ(detokenize({{"tokens", {256}}}, model_).error().param, "tokens");
  EXPECT_EQ(detokenize({{"tokens", "ab"}}, model_).error().param, "tokens");
}

}  // namespace
}  // namespace sida::router

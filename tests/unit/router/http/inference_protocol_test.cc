#include "router/http/inference_protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "router/http/routes.h"
#include "tests/unit/router/http/fake_engine.h"

namespace sida::router {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class InferenceProtocol : public ::testing::Test {
 protected:
  [[nodiscard]] ApiResult<InferRequest> parse(const json& body) const { return parse_infer(body, model_, limits_); }

  static json tensor(const char* name, const char* datatype, json shape, json data) {
    return {{"name", name}, {"datatype", datatype}, {"shape", std::move(shape)}, {"data", std::move(data)}};
  }
  static json ids(json shape, json data) { return tensor("input_ids", "INT64", std::move(shape), std::move(data)); }

  ByteTokenizer tokenizer_;
  ServedModel model_{"demo", &tokenizer_, 256, 0, {1}, {{"kind", {"a", "b", "c"}}}};
  HttpLimits limits_;
};

TEST_F(InferenceProtocol, TokenisesTextAndAddsTheEndToken) {
  const auto request = parse({{"inputs", {tensor("text", "BYTES", {2, 1}, {"ab", "c"})}}});
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_THAT(request->sequences, ElementsAre(ElementsAre('a', 'b', 1), ElementsAre('c', 1)));
}

TEST_F(InferenceProtocol, TakesIdsAsTheyAreFlatOrNestedWithoutWhatTheMaskHides) {
  for (const json& data : {json::array({5, 6, 7, 8}), json::array({{5, 6}, {7, 8}})}) {
    const auto request =
        parse({{"inputs", {ids({2, 2}, data), tensor("attention_mask", "BOOL", {2, 2}, {true, true, true, false})}}});
    ASSERT_TRUE(request) << request.error().message;
    EXPECT_THAT(request->sequences, ElementsAre(ElementsAre(5, 6), ElementsAre(7)));
  }
}

TEST_F(InferenceProtocol, SaysWhatIsWrongWithTensors) {
  const json good = ids({1, 1}, {5});
  const std::vector<std::pair<json, std::string>> wrong{
      {json::array(), "one or two tensors"},
      {json::array({7}), "must be an object"},
      {json::array({good, good, good}), "one or two tensors"},
      {json::array({tensor("tokens", "INT64", {1, 1}, {5})}), "inputs must be text"},
      {json::array({good, tensor("text", "BYTES", {1}, {"a"})}), "inputs must be text"},
      {json::array({good, good}), "inputs must be text"},
      {json::array({tensor("attention_mask", "INT64", {1, 1}, {1})}), "inputs must be text"},
      {json::array({ids({1, 2}, {5})}), "data has 1 elements, its shape 2"},
      {json::array({ids({16777216, 16777216}, {5})}), "data has 1 elements"},
      {json::array({ids({0, 1}, json::array())}), "from 1 on"},
      {json::array({ids({1, 1, 1}, {5})}), "one or two sizes"},
      {json::array({ids({1}, {5})}), "shape [batch, length]"},
      {json::array({ids({1, 1}, {"5"})}), "input_ids"},
      {json::array({ids({1, 1}, {256})}), "input_ids"},
      {json::array({tensor("input_ids", "FP32", {1, 1}, {5})}), "INT64 or INT32"},
      {json::array({good, tensor("attention_mask", "INT64", {1, 1}, {2})}), "0 and 1"},
      {json::array({good, tensor("attention_mask", "INT64", {1, 1}, {0})}), "no tokens"},
      {json::array({good, tensor("attention_mask", "INT64", {1}, {1})}), "shape of input_ids"},
      {json::array({tensor("text", "INT64", {1}, {5})}), "BYTES"},
      {json::array({tensor("text", "BYTES", {1}, {5})}), "strings"},
  };
  for (const auto& [inputs, expected] : wrong) {
    const auto request = parse({{"inputs", inputs}});
    ASSERT_FALSE(request) << inputs;
    EXPECT_EQ(request.error().status, 400U);
    EXPECT_THAT(request.error().message, HasSubstr(expected)) << inputs;
  }
}

TEST_F(InferenceProtocol, BoundsBatchAndLength) {
  limits_.prompts_max = 2;
  limits_.prompt_tokens_max = 3;
  limits_.request_tokens_max = 4;
  EXPECT_THAT(parse({{"inputs", {ids({3, 1}, {5, 5, 5})}}}).error().message, HasSubstr("at most 2 sequences"));
  EXPECT_EQ(parse({{"inputs", {ids({1, 4}, {5, 5, 5, 5})}}}).error().code, "context_length_exceeded");
  EXPECT_EQ(parse({{"inputs", {ids({2, 3}, {5, 5, 5, 5, 5, 5})}}}).error().code, "context_length_exceeded");
  EXPECT_TRUE(parse({{"inputs", {ids({2, 2}, {5, 5, 5, 5})}}}));
}

TEST_F(InferenceProtocol, SendsTheOutputsThatAreNamedOrAll) {
  JobResult result;
  result.logits = {0.5F, 2.5F, -1.0F};
  InferRequest request{.id = "7", .sequences = {{1}, {2}}};
  const json all = infer_response(request, model_.heads[0], {result, result});
  EXPECT_EQ(all["id"], "7");
  EXPECT_EQ(all["model_name"], "kind");
  EXPECT_EQ(all["outputs"][0]["shape"], json({2, 3}));
  EXPECT_EQ(all["outputs"][0]["data"], json({0.5, 2.5, -1.0, 0.5, 2.5, -1.0}));
  EXPECT_EQ(all["outputs"][1]["data"], json({"b", "b"}));

  const auto one = parse({{"inputs", {ids({1, 1}, {5})}}, {"outputs", {{{"name", "label"}}}}});
  ASSERT_TRUE(one);
  const json answer = infer_response(*one, model_.heads[0], {result});
  ASSERT_EQ(answer["outputs"].size(), 1U);
  EXPECT_EQ(answer["outputs"][0]["name"], "label");
  EXPECT_FALSE(parse({{"inputs", {ids({1, 1}, {5})}}, {"outputs", {{{"name", "scores"}}}}}));
}

TEST_F(InferenceProtocol, NamesTheHeadsThatThereAre) {
  EXPECT_EQ(find_head(model_, "kind").value(), 0U);
  EXPECT_THAT(find_head(model_, "demo").error().message, HasSubstr("there are: kind"));
  model_.heads.clear();
  EXPECT_THAT(find_head(model_, "kind").error().message, HasSubstr("this model has none"));
}

TEST(Routes, TakeOneSegmentOrTheWholeRestForBraces) {
  const auto named = [](const char* path) { return named_in({.path = path}); };
  const auto label = [](const char* path) { return endpoint_label({.path = path}); };
  EXPECT_EQ(label("/v2/models/kind/infer"), "/v2/models/{model}/infer");
  EXPECT_EQ(named("/v2/models/ki%6ed/infer"), "kind");
  EXPECT_EQ(label("/v2/models/kind/ready"), "/v2/models/{model}/ready");
  EXPECT_EQ(named("/v2/models/kind"), "kind");
  EXPECT_EQ(named("/v1/models/google/switch-base-8"), "google/switch-base-8");
  EXPECT_EQ(named("/v1/models"), "");
  for (const char* path : {"/v2/models//infer", "/v2/models/", "/v2/", "", "v2", "/v2/models", "/v1/models/"}) {
    EXPECT_EQ(find_route(path), nullptr) << path;
  }
}

}  // namespace
}  // namespace sida::router

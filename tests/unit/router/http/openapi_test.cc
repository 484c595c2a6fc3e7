// pages/openapi.json describes the routes that exist and the fields that are read.
#include "router/http/openapi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "router/http/completions_request.h"
#include "router/http/inference_protocol.h"
#include "router/http/routes.h"
#include "router/http/score.h"
#include "router/http/tokenize.h"
#include "tests/unit/router/http/fake_engine.h"

namespace sida::router {
namespace {

using nlohmann::json;

class OpenApi : public ::testing::Test {
 protected:
  [[nodiscard]] const json& properties(const std::string& schema) const {
    return document_.at("components").at("schemas").at(schema).at("properties");
  }
  // Each property alone beside `base`: true when none is unknown.
  template <typename Parse>
  void expect_known(const std::string& schema, const json& base, const Parse& parse) const {
    for (const auto& [name, property] : properties(schema).items()) {
      json body = base;
      if (!body.contains(name)) body[name] = nullptr;
      const std::string message = parse(body);
      EXPECT_EQ(message, "") << schema << "." << name;
    }
  }

  const json document_ = json::parse(openapi_text());
  ByteTokenizer tokenizer_;
  const ServedModel model_{"demo", &tokenizer_, 256, 0, {1}};
  const HttpLimits limits_;
};

template <typename T>
std::string message_of(const ApiResult<T>& result) {
  return result ? "" : result.error().message;
}

TEST_F(OpenApi, ListsExactlyTheRoutesThatExist) {
  std::set<std::string> described;
  for (const auto& [path, methods] : document_["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) described.insert(method + " " + path);
  }
  std::set<std::string> existing;
  for (const Route& route : public_routes()) {
    existing.insert((route.method == "POST" ? "post " : "get ") + std::string(route.path));
  }
  EXPECT_EQ(described, existing);
}

TEST_F(OpenApi, DescribesOnlyFieldsThatAreRead) {
  expect_known("CompletionRequest", {{"prompt", "a"}},
               [this](const json& body) { return message_of(parse_completions(body, model_, limits_, 1)); });
  expect_known("ScoreRequest", {{"prompt", "a"}, {"target", "b"}},
               [this](const json& body) { return message_of(parse_score(body, model_, limits_)); });
  expect_known("TokenizeRequest", {{"prompt", "a"}},
               [this](const json& body) { return message_of(tokenize(body, model_, limits_)); });
  expect_known("DetokenizeRequest", {{"tokens", {97}}},
               [this](const json& body) { return message_of(detokenize(body, model_)); });
  const json input{{"name", "text"}, {"datatype", "BYTES"}, {"shape", {1}}, {"data", {"a"}}};
  expect_known("InferRequest", {{"inputs", {input}}},
               [this](const json& body) { return message_of(parse_infer(body, model_, limits_)); });
  expect_known("InputTensor", input, [this](const json& tensor) {
    return message_of(parse_infer({{"inputs", {tensor}}}, model_, limits_));
  });
}

TEST_F(OpenApi, TakesTheDefaultsThatItTells) {
  json body{{"prompt", "a"}};
  for (const auto& [name, property] : properties("CompletionRequest").items()) {
    if (property.contains("default")) body[name] = property["default"];
  }
  EXPECT_EQ(message_of(parse_completions(body, model_, limits_, 1)), "");
}

TEST_F(OpenApi, DescribesEveryFieldOfTheApiPage) {
  std::ifstream file(std::string(SIDA_SOURCE_DIR) + "/docs/api.md");
  std::stringstream text;
  text << file.rdbuf();
  std::string page = text.str();
  page.resize(page.find("## Who chooses experts"));
  std::size_t fields = 0;
  const std::regex row("\n\\| (`[^|]*`) \\|");
  const std::regex name("`([a-z_]+)`");
  for (std::sregex_iterator line(page.begin(), page.end(), row), end; line != end; ++line) {
    const std::string cell = (*line)[1];
    for (std::sregex_iterator field(cell.begin(), cell.end(), name); field != end; ++field) {
      EXPECT_TRUE(properties("CompletionRequest").contains((*field)[1].str())) << (*field)[1];
      ++fields;
    }
  }
  EXPECT_GE(fields, 15U);
}

TEST_F(OpenApi, RefersOnlyToWhatItHolds) {
  const std::string text(openapi_text());
  const std::regex reference("\"#(/[^\"]*)\"");
  for (std::sregex_iterator found(text.begin(), text.end(), reference), end; found != end; ++found) {
    EXPECT_TRUE(document_.contains(json::json_pointer((*found)[1].str()))) << (*found)[1];
  }
}

}  // namespace
}  // namespace sida::router

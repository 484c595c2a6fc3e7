#include "router/http/json_fields.h"

#include <gtest/gtest.h>

namespace sida::router {
namespace {

TEST(ParseJsonObject, RefusesWhatIsNoObject) {
  for (const char* body : {"", "[]", "7", "{", "{\"a\":}", "nul", "{\"a\":1}x", "{\"a\":\"\xff\"}", "{\"a\":1e999}"}) {
    EXPECT_EQ(parse_json_object(body, 8).error().status, 400U) << body;
  }
}

TEST(ParseJsonObject, RefusesNestingAboveTheLimitBeforeBuildingIt) {
  EXPECT_TRUE(parse_json_object(R"({"a":[[1]]})", 3));
  EXPECT_FALSE(parse_json_object(R"({"a":[[1]]})", 2));
  EXPECT_FALSE(parse_json_object("{\"a\":" + std::string(1'000'000, '['), 16));
}

TEST(ParseJsonObject, DoesNotCountBracketsInStrings) {
  EXPECT_TRUE(parse_json_object(R"({"a":"[[[\"[[["})", 1));
}

TEST(JsonFields, TellsTheFirstProblemWithItsField) {
  const auto object = nlohmann::json::parse(R"({"a": "x", "b": 5})");
  JsonFields fields(object);
  EXPECT_EQ(fields.integer("a", 3, 0, 9), 3);
  EXPECT_FALSE(fields.boolean("b", false));
  EXPECT_EQ(fields.finish().error().param, "a");
}

TEST(JsonFields, RefusesFieldsThatNobodyTook) {
  const auto object = nlohmann::json::parse(R"({"a": 1, "b": null})");
  JsonFields fields(object);
  fields.any("a");
  EXPECT_EQ(fields.finish().error().param, "b");
}

TEST(JsonFields, LargeUnsignedNumbersDoNotTurnNegative) {
  const auto object = nlohmann::json::parse(R"({"a": 18446744073709551615})");
  JsonFields fields(object);
  fields.integer("a", 0, -5, 5);
  EXPECT_FALSE(fields.ok());
  JsonFields again(object);
  EXPECT_EQ(again.optional_unsigned("a"), 18446744073709551615ULL);
}

}  // namespace
}  // namespace sida::router

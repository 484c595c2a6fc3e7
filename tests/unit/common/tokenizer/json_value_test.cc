#include "common/tokenizer/json_value.h"

#include <gtest/gtest.h>

#include <string>

#include "common/tokenizer/json_number.h"

namespace sida::tokenizer {
namespace {

std::string problem(std::string_view bytes, const JsonLimits& limits = {}) {
  const auto parsed = parse_json(bytes, limits);
  return parsed ? "" : parsed.error().message;
}

TEST(JsonValue, RefusesWhatIsNotJson) {
  for (const char* bytes : {"", "{", "[1,]", "{\"a\":1}}", "\"\xff\"", "[1e999]", "{\"a\" 1}", "\"\\ud800\""}) {
    EXPECT_NE(problem(bytes), "") << bytes;
  }
}

TEST(JsonValue, RefusesMoreThanItsLimits) {
  const JsonLimits limits{.bytes = 40, .depth = 3, .values = 8};
  EXPECT_EQ(problem("[[[1]]]", limits), "");
  EXPECT_EQ(problem("[[[[1]]]]", limits), "nested deeper than 3");
  EXPECT_EQ(problem("[1,2,3,4,5,6,7,8]", limits), "more than 8 values");
  EXPECT_EQ(problem(std::string(41, ' '), limits), "larger than 40 bytes");
}

TEST(JsonValue, SurvivesAMillionOpenBrackets) {
  EXPECT_EQ(problem(std::string(1'000'000, '[')), "nested deeper than 32");
}

TEST(JsonObject, NamesTheMemberThatIsWrong) {
  const auto document = parse_json(R"({"a": 1, "b": "x", "b": "y", "c": null, "d": -1})");
  ASSERT_TRUE(document);
  const auto object = JsonObject::of(*document, "model");
  ASSERT_TRUE(object);
  EXPECT_EQ(object->string("a").error().message, "model: 'a' is not a string");
  EXPECT_EQ(object->string("b").error().message, "model: 'b' occurs twice");
  EXPECT_EQ(object->string("c").error().message, "model: 'c' is missing");
  EXPECT_EQ(object->integer("d", 9).error().message, "model: 'd' is not an integer from 0 to 9");
  EXPECT_EQ(object->boolean("e", true), true);
  EXPECT_EQ(object->object("a").error().message, "model.a is not an object");
}

TEST(JsonNumber, RoundsAsSerdeDoes) {
  // As the tokenizers package 0.22.2 reads them; the nearest double is another, since serde_json rounds the significand
  // before it scales.
  EXPECT_EQ(parse_json_number("-18.623286012904047"), -18.62328601290405);
  EXPECT_EQ(parse_json_number("-4.8036494205552667"), -4.803649420555266);
  EXPECT_EQ(parse_json_number("-10.109248343526119"), -10.10924834352612);
  EXPECT_EQ(parse_json_number("7.2057594037927933"), 7.2057594037927934);
  EXPECT_EQ(parse_json_number("-3.2456788"), -3.2456788);
  EXPECT_EQ(parse_json_number("123456789012345678901234567890"), 1.2345678901234568e+29);
}

TEST(JsonNumber, KeepsWithinTheRangeOfADouble) {
  EXPECT_EQ(parse_json_number("1e-400"), 0.0);
  EXPECT_EQ(parse_json_number("0e999999999999"), 0.0);
  EXPECT_EQ(parse_json_number("-2.5E+2"), -250.0);
  EXPECT_FALSE(parse_json_number("1e309"));
  EXPECT_FALSE(parse_json_number("1e99999999999999999999"));
}

}  // namespace
}  // namespace sida::tokenizer

#include "cli/load/prompts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_directory.h"

namespace sida::load {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

TEST(Prompts, ALineIsTextOrAWholeRequest) {
  const test::TemporaryDirectory folder;
  const auto file = folder.write("prompts", "a large ship\n\n{\"prompt\": [5, 6, 1], \"max_tokens\": 3}\r\n");
  const auto bodies = read_prompts(file.string(), {{"max_tokens", 16}});
  ASSERT_TRUE(bodies) << bodies.error().message;
  EXPECT_EQ(*bodies, (std::vector<json>{{{"prompt", "a large ship"}, {"max_tokens", 16}},
                                        {{"prompt", {5, 6, 1}}, {"max_tokens", 3}}}));
}

TEST(Prompts, WhatIsWrongIsToldWithItsLine) {
  const test::TemporaryDirectory folder;
  EXPECT_EQ(read_prompts((folder.path() / "none").string(), {}).error().code, ErrorCode::kIo);
  EXPECT_THAT(read_prompts(folder.write("a", "x\n{\"text\": 1}\n").string(), json::object()).error().message,
              HasSubstr("line 2"));
  EXPECT_THAT(read_prompts(folder.write("b", "\n").string(), json::object()).error().message, HasSubstr("no prompt"));
}

TEST(Prompts, RandomOnesAreIdsOfTheVocabulary) {
  const auto bodies = random_prompts(20, 8, 30, 1, json::object());
  ASSERT_EQ(bodies.size(), 20U);
  for (const json& body : bodies) {
    ASSERT_EQ(body["prompt"].size(), 8U);
    for (const json& id : body["prompt"]) {
      EXPECT_GE(id, 3);
      EXPECT_LT(id, 30);
    }
  }
  EXPECT_EQ(bodies, random_prompts(20, 8, 30, 1, json::object()));
}

}  // namespace
}  // namespace sida::load

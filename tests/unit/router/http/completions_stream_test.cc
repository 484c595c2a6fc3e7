#include "router/http/completions_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/router/http/fake_engine.h"

namespace sida::router {
namespace {

class ChoiceStreamTest : public ::testing::Test {
 protected:
  // The text of each chunk for the tokens of `text`, then that of the last chunk.
  std::vector<std::string> stream(const std::string& text) {
    ChoiceStream choice(0, meta_, request_, model_);
    std::vector<std::string> chunks;
    for (const char c : text) {
      if (const auto chunk = choice.add({c, -0.5F, {}})) {
        chunks.push_back((*chunk)["choices"][0]["text"]);
      }
    }
    last_ = choice.finish(FinishReason::kLength, {});
    chunks.push_back(last_["choices"][0]["text"]);
    return chunks;
  }

  ByteTokenizer tokenizer_;
  ServedModel model_{"demo", &tokenizer_, 256, 0, {1}};
  ResponseMeta meta_{"cmpl-1", 5};
  CompletionsRequest request_;
  nlohmann::json last_;
};

TEST_F(ChoiceStreamTest, SendsTextAsItComes) {
  EXPECT_THAT(stream("abc"), ::testing::ElementsAre("a", "b", "c", ""));
  EXPECT_EQ(last_["choices"][0]["finish_reason"], "length");
}

TEST_F(ChoiceStreamTest, HoldsBackWhatMayBecomeAStopString) {
  request_.stop = {"xyz"};
  EXPECT_THAT(stream("axyb"), ::testing::ElementsAre("a", "", "", "xyb", ""));
}

TEST_F(ChoiceStreamTest, EndsBeforeTheStopString) {
  request_.stop = {"xy"};
  EXPECT_THAT(stream("axyb"), ::testing::ElementsAre("a", "", "", ""));
  EXPECT_EQ(last_["choices"][0]["finish_reason"], "stop");
}

TEST_F(ChoiceStreamTest, SendsWhatWasHeldBackAtTheEnd) {
  request_.stop = {"xyz"};
  EXPECT_THAT(stream("ax"), ::testing::ElementsAre("a", "", "x"));
}

TEST(HeldBackBytes, AreTheLongestBeginningOfAnyStopString) {
  EXPECT_EQ(held_back_bytes("hello", {"x"}), 0U);
  EXPECT_EQ(held_back_bytes("hello", {"lox", "ellow"}), 4U);
  EXPECT_EQ(held_back_bytes("", {"abc"}), 0U);
}

}  // namespace
}  // namespace sida::router

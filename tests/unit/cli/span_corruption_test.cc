#include "cli/span_corruption.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace sida::cli {
namespace {

using Tokens = std::vector<std::int32_t>;

const Sentinels kSentinels{.ids = {1000, 999, 998, 997}, .end = 1};

Tokens text(std::size_t count) {
  Tokens tokens(count);
  std::iota(tokens.begin(), tokens.end(), 10);
  return tokens;
}

bool is_sentinel(std::int32_t token) {
  return token >= 997;
}

// Puts the spans of the target back where their sentinels stand in the source.
Tokens filled_in(const CorruptedText& text) {
  Tokens whole;
  for (const std::int32_t token : text.source) {
    if (!is_sentinel(token)) {
      whole.push_back(token);
      continue;
    }
    auto at = std::find(text.target.begin(), text.target.end(), token);
    for (++at; at != text.target.end() && !is_sentinel(*at) && *at != kSentinels.end; ++at) whole.push_back(*at);
  }
  return whole;
}

TEST(SpanCorruption, FillingTheSpansInGivesTheText) {
  for (std::size_t count = 2; count < 120; ++count) {
    for (std::uint64_t ordinal = 0; ordinal < 5; ++ordinal) {
      auto whole = text(count);
      const auto hidden = hide_spans(whole, kSentinels, {}, ordinal);
      ASSERT_TRUE(hidden);
      whole.push_back(kSentinels.end);
      ASSERT_EQ(filled_in(*hidden), whole) << count;
      ASSERT_EQ(hidden->target.back(), kSentinels.end);
    }
  }
}

TEST(SpanCorruption, HidesTheShareAskedForInSpansOfTheMeanLength) {
  const Sentinels many{.ids = Tokens(100, 5000), .end = 1};
  const auto hidden = hide_spans(text(200), many, {}, 0);
  EXPECT_EQ(hidden->target.size(), 30 + 10 + 1) << "15 % of 200, a sentinel for every three, and the end";
  EXPECT_EQ(hidden->source.size(), 170 + 10 + 1);
}

TEST(SpanCorruption, HasNoMoreSpansThanSentinels) {
  const auto hidden = hide_spans(text(400), kSentinels, {}, 0);
  EXPECT_EQ(std::count_if(hidden->source.begin(), hidden->source.end(), is_sentinel), 4);
  EXPECT_EQ(hidden->target.size(), 60 + 4 + 1);
}

TEST(SpanCorruption, DependsOnSeedAndPlaceAlone) {
  const auto hide = [](std::uint64_t seed, std::uint64_t ordinal) {
    return hide_spans(text(100), kSentinels, {.seed = seed}, ordinal)->source;
  };
  EXPECT_EQ(hide(1, 2), hide(1, 2));
  EXPECT_NE(hide(1, 2), hide(1, 3));
  EXPECT_NE(hide(1, 2), hide(2, 2));
}

TEST(SpanCorruption, EveryTokenIsHiddenSometimes) {
  std::vector<int> hidden_times(40, 0);
  for (std::uint64_t ordinal = 0; ordinal < 500; ++ordinal) {
    const auto hidden = hide_spans(text(40), kSentinels, {}, ordinal);
    for (const std::int32_t token : hidden->target) {
      if (token >= 10 && token < 50) ++hidden_times[static_cast<std::size_t>(token - 10)];
    }
  }
  // The first token always stays (a shown part comes first); each other one is hidden in 15 % of the texts, more or
  // less.
  EXPECT_EQ(hidden_times[0], 0);
  for (std::size_t token = 1; token < hidden_times.size(); ++token) EXPECT_GT(hidden_times[token], 5) << token;
}

TEST(SpanCorruption, LeavesATextOfOneTokenAlone) {
  EXPECT_FALSE(hide_spans(text(1), kSentinels, {}, 0));
}

}  // namespace
}  // namespace sida::cli

#include "router/trunk/sampler.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

namespace sida::router {
namespace {

constexpr float kExcluded = -std::numeric_limits<float>::infinity();

TEST(Sampler, GreedyTakesTheLowestIdAmongEquals) {
  const std::vector<float> scores{1, 3, 3, 2};
  EXPECT_EQ(choose_token(scores, {}, 0), 1);
}

TEST(Sampler, RepetitionPenaltyDividesPositiveAndMultipliesNegativeScores) {
  std::vector<float> scores{2, -2, 2, -2};
  const std::array<std::int32_t, 3> history{0, 1, 1};
  SamplingParams params;
  params.repetition_penalty = 2;
  filter_scores(scores, {history, 2, {}}, params);
  EXPECT_EQ(scores, (std::vector<float>{1, -4, 2, -2}));
}

TEST(Sampler, ExcludesTheTokenThatWouldRepeatAnNgram) {
  std::vector<float> scores(5, 1);
  const std::array<std::int32_t, 5> history{0, 3, 4, 2, 3};  // "3 4" is there and 3 is last.
  SamplingParams params;
  params.no_repeat_ngram_size = 2;
  filter_scores(scores, {history, 4, {}}, params);
  EXPECT_EQ(scores, (std::vector<float>{1, 1, 1, 1, kExcluded}));
}

TEST(Sampler, ForbidsEndTokensBeforeTheLeastLength) {
  std::vector<float> scores{0, 9, 1};
  const std::array<std::int32_t, 1> ends{1};
  SamplingParams params;
  params.min_new_tokens = 2;
  filter_scores(scores, {{}, 1, ends}, params);
  EXPECT_EQ(choose_token(scores, params, 0), 2);
}

TEST(Sampler, TopKKeepsTies) {
  std::vector<float> scores{4, 3, 3, 1};
  SamplingParams params;
  params.temperature = 1;
  params.top_k = 2;
  filter_scores(scores, {}, params);
  EXPECT_EQ(scores, (std::vector<float>{4, 3, 3, kExcluded}));
}

TEST(Sampler, TopPKeepsTheBestTokenHoweverSmallItIs) {
  std::vector<float> scores{1, 1.5F, 1, 1};
  SamplingParams params;
  params.temperature = 1;
  params.top_p = 0.01F;
  filter_scores(scores, {}, params);
  EXPECT_EQ(scores, (std::vector<float>{kExcluded, 1.5F, kExcluded, kExcluded}));
}

TEST(Sampler, DrawsFollowTheDistribution) {
  const std::vector<float> scores{std::log(0.2F), std::log(0.5F), std::log(0.3F), kExcluded};
  SamplingParams params;
  params.temperature = 1;
  params.seed = 7;
  std::map<std::int32_t, int> counts;
  constexpr int kDraws = 20000;
  for (int draw = 0; draw < kDraws; ++draw) ++counts[choose_token(scores, params, static_cast<std::uint64_t>(draw))];
  EXPECT_NEAR(counts[0], 0.2 * kDraws, 250);  // Four standard deviations.
  EXPECT_NEAR(counts[1], 0.5 * kDraws, 300);
  EXPECT_EQ(counts[3], 0);
}

TEST(Sampler, TheSameSeedAndIndexGiveTheSameToken) {
  const std::vector<float> scores(100, 0);
  SamplingParams params;
  params.temperature = 1;
  params.seed = 3;
  EXPECT_EQ(choose_token(scores, params, 5), choose_token(scores, params, 5));
  EXPECT_NE(choose_token(scores, params, 5), choose_token(scores, params, 6));
}

// Known answer of Philox 4x32-10 for key and counter zero: Random123 kat_vectors.
TEST(Sampler, CounterRandomIsPhilox) {
  const std::uint64_t expected = (0xe169c58dULL << 32U) | 0x6627e8d5ULL;
  EXPECT_EQ(counter_random(0, 0), static_cast<double>(expected >> 11U) * 0x1p-53);
}

TEST(Sampler, BestTokensComeWithTheirLogProbabilities) {
  const std::vector<float> scores{0, 1, 0};
  const auto best = best_tokens(scores, 2);
  ASSERT_EQ(best.size(), 2U);
  EXPECT_EQ(best[0].token, 1);
  EXPECT_EQ(best[1].token, 0);
  EXPECT_NEAR(best[0].logprob, 1 - std::log(2 + std::exp(1.0)), 1e-6);
}

}  // namespace
}  // namespace sida::router

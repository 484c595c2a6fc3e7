#include "router/trunk/beam_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>
#include <vector>

namespace sida::router {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;
using Tokens = std::vector<std::int32_t>;
using Row = std::vector<BeamCandidate>;

constexpr std::int32_t kEnd = 1;

Tokens ids(const std::vector<BeamToken>& tokens) {
  Tokens ids;
  for (const BeamToken& token : tokens) ids.push_back(token.token);
  return ids;
}

std::vector<Tokens> running_of(const BeamSearch& search) {
  std::vector<Tokens> all;
  for (const auto& running : search.running()) all.push_back(ids(running.tokens));
  return all;
}

std::vector<Tokens> results_of(const BeamSearch& search) {
  std::vector<Tokens> all;
  for (const auto& ended : search.results()) all.push_back(ids(ended.tokens));
  return all;
}

// Candidates of one row, the best first.
Row row(std::vector<std::pair<std::int32_t, float>> scores) {
  Row candidates;
  for (const auto& [token, score] : scores) candidates.push_back({token, score, score});
  return candidates;
}

void advance(BeamSearch& search, const std::vector<Row>& rows) {
  search.advance(rows);
}

TEST(BeamSearch, BeginsWithOneRowAndAnotherTokenForEachBeam) {
  BeamSearch search({.beams = 3, .returned = 1}, 5, {kEnd});
  EXPECT_EQ(search.rows(), 1U);
  advance(search, {row({{7, -0.5F}, {8, -1.0F}, {9, -2.0F}, {10, -3.0F}, {11, -4.0F}, {12, -5.0F}})});
  EXPECT_THAT(running_of(search), ElementsAre(Tokens{7}, Tokens{8}, Tokens{9}));
  EXPECT_EQ(search.rows(), 3U);
}

TEST(BeamSearch, KeepsTheBestContinuationsOfAllBeamsTogether) {
  BeamSearch search({.beams = 2, .returned = 1}, 5, {kEnd});
  advance(search, {row({{7, -1.0F}, {8, -2.0F}, {9, -3.0F}, {10, -4.0F}})});
  advance(search, {row({{5, -0.5F}, {6, -0.6F}, {7, -9.0F}, {8, -9.0F}}),
                   row({{5, -0.4F}, {6, -9.0F}, {7, -9.0F}, {8, -9.0F}})});
  EXPECT_THAT(running_of(search), ElementsAre(Tokens{7, 5}, Tokens{7, 6}));
  EXPECT_EQ(search.running()[0].parent, 0U);
  EXPECT_EQ(search.running()[1].parent, 0U);
  EXPECT_FLOAT_EQ(search.running()[1].score, -1.6F);
}

TEST(BeamSearch, AnEndTokenEndsASequenceOnlyAmongTheBest) {
  BeamSearch search({.beams = 2, .returned = 2, .early_stopping = EarlyStopping::kNever}, 9, {kEnd});
  advance(search, {row({{7, -1.0F}, {8, -1.1F}, {kEnd, -1.2F}, {9, -5.0F}})});
  EXPECT_THAT(running_of(search), ElementsAre(Tokens{7}, Tokens{8}));
  advance(search, {row({{kEnd, -0.1F}, {5, -3.0F}, {6, -9.0F}, {7, -9.0F}}),
                   row({{5, -0.2F}, {6, -0.3F}, {7, -9.0F}, {8, -9.0F}})});
  EXPECT_FALSE(search.over());
  EXPECT_THAT(running_of(search), ElementsAre(Tokens{8, 5}, Tokens{8, 6})) << "others fill the place of the ended one";
  EXPECT_THAT(search.results().front().tokens, ElementsAre(BeamToken{7, -1.0F, 0}, BeamToken{kEnd, -0.1F, 1}));
  EXPECT_TRUE(search.results().front().by_end);
}

// Two beams of which both end at once, while a third continuation is as good as it gets.
BeamSearch after_two_ends(EarlyStopping early_stopping, double length_penalty) {
  BeamSearch search({.beams = 2, .returned = 2, .length_penalty = length_penalty, .early_stopping = early_stopping}, 9,
                    {kEnd});
  advance(search, {row({{7, -1.0F}, {8, -1.1F}, {9, -5.0F}, {10, -5.0F}})});
  advance(search, {row({{kEnd, -1.0F}, {5, -1.3F}, {6, -9.0F}, {7, -9.0F}}),
                   row({{kEnd, -1.0F}, {5, -1.3F}, {6, -9.0F}, {7, -9.0F}})});
  return search;
}

TEST(BeamSearch, EarlyStoppingEndsItWithAsManyEndedSequencesAsBeams) {
  EXPECT_TRUE(after_two_ends(EarlyStopping::kYes, 1).over());
}

TEST(BeamSearch, WithoutItEndsWhenTheBestRunningOneIsNoBetterThanTheWorstEnded) {
  EXPECT_TRUE(after_two_ends(EarlyStopping::kNo, 1).over()) << "-2.3 / 2 is no better than -2.1 / 2";
}

TEST(BeamSearch, NeverStoppingEarlyGoesOnWhileALongerOneMayBeBetter) {
  BeamSearch search = after_two_ends(EarlyStopping::kNever, 1);
  ASSERT_FALSE(search.over()) << "-2.3 / 9 is better than -2.1 / 2";
  EXPECT_THAT(running_of(search), ElementsAre(Tokens{7, 5}, Tokens{8, 5}));
  advance(search, {row({{kEnd, -0.1F}, {5, -9.0F}, {6, -9.0F}, {7, -9.0F}}),
                   row({{5, -9.0F}, {6, -9.0F}, {7, -9.0F}, {8, -9.0F}})});
  EXPECT_THAT(results_of(search), ElementsAre(Tokens({7, 5, kEnd}), Tokens({7, kEnd})));
}

TEST(BeamSearch, WithoutALengthPenaltyALongerOneCannotBeBetter) {
  EXPECT_TRUE(after_two_ends(EarlyStopping::kNever, 0).over());
}

TEST(BeamSearch, EndsAtTheLongestLengthWithTheBestThere) {
  BeamSearch search({.beams = 2, .returned = 2}, 1, {kEnd});
  advance(search, {row({{7, -1.0F}, {kEnd, -1.5F}, {8, -2.0F}, {9, -3.0F}})});
  EXPECT_TRUE(search.over());
  EXPECT_THAT(results_of(search), ElementsAre(Tokens{7}, Tokens{kEnd}));
  EXPECT_FALSE(search.results()[0].by_end);
  EXPECT_TRUE(search.results()[1].by_end);
}

TEST(BeamSearch, ScoresAreOverTheLengthToThePowerOfThePenalty) {
  BeamSearch search({.beams = 2, .returned = 1, .length_penalty = 2, .early_stopping = EarlyStopping::kYes}, 2, {kEnd});
  advance(search, {row({{7, -1.0F}, {8, -2.0F}, {9, -3.0F}, {10, -3.0F}})});
  advance(search, {row({{5, -1.0F}, {6, -5.0F}}), row({{5, -5.0F}, {6, -6.0F}})});
  EXPECT_FLOAT_EQ(search.results()[0].score, -2.0F / 4);
}

TEST(BeamSearch, AsksForSoManyCandidatesThatAllBeamsMayEndInEveryWay) {
  EXPECT_EQ(BeamSearch({.beams = 4, .returned = 1}, 5, {}).candidates(), 8U);
  EXPECT_EQ(BeamSearch({.beams = 4, .returned = 1}, 5, {kEnd}).candidates(), 8U);
  EXPECT_EQ(BeamSearch({.beams = 4, .returned = 1}, 5, {kEnd, 2}).candidates(), 12U);
}

TEST(BeamSearch, AnswersEvenWhereTheFiltersExcludeEverything) {
  const float excluded = -INFINITY;
  BeamSearch search({.beams = 2, .returned = 2}, 5, {kEnd});
  advance(search, {row({{7, excluded}, {8, excluded}, {9, excluded}, {10, excluded}})});
  EXPECT_TRUE(search.over());
  EXPECT_THAT(search.results(), SizeIs(2));
}

// A made-up model: the log-probabilities of each next token hang on the whole prefix.
class Model {
 public:
  Model(std::uint64_t seed, std::int32_t vocab) : seed_(seed), vocab_(vocab) {}

  std::vector<float> logprobs(const Tokens& prefix) {
    std::uint64_t key = seed_;
    for (const std::int32_t token : prefix) key = key * 1'000'003 + static_cast<std::uint64_t>(token) + 1;
    std::mt19937_64 generator(key);
    std::normal_distribution<double> normal(0, 2);
    std::vector<double> scores;
    double sum = 0;
    for (std::int32_t token = 0; token < vocab_; ++token) {
      scores.push_back(normal(generator));
      sum += std::exp(scores.back());
    }
    std::vector<float> logprobs;
    for (const double score : scores) logprobs.push_back(static_cast<float>(score - std::log(sum)));
    return logprobs;
  }

  Row candidates(const Tokens& prefix, std::size_t count) {
    const auto logprobs = this->logprobs(prefix);
    Row row;
    for (std::int32_t token = 0; token < vocab_; ++token) {
      row.push_back({token, logprobs[static_cast<std::size_t>(token)], logprobs[static_cast<std::size_t>(token)]});
    }
    std::ranges::stable_sort(row, std::greater<>(), &BeamCandidate::score);
    row.resize(std::min(row.size(), count));
    return row;
  }

  double score(const Tokens& tokens) {
    double sum = 0;
    for (std::size_t length = 0; length < tokens.size(); ++length) {
      const Tokens prefix(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(length));
      sum += static_cast<double>(logprobs(prefix)[static_cast<std::size_t>(tokens[length])]);
    }
    return sum;
  }

  // The highest score of any sequence that ends by the end token or at `longest`.
  double best(Tokens prefix, std::size_t longest) {
    if (!prefix.empty() && (prefix.back() == kEnd || prefix.size() == longest)) return score(prefix);
    double highest = -INFINITY;
    for (std::int32_t token = 0; token < vocab_; ++token) {
      prefix.push_back(token);
      highest = std::max(highest, best(prefix, longest));
      prefix.pop_back();
    }
    return highest;
  }

 private:
  std::uint64_t seed_;
  std::int32_t vocab_;
};

// Runs a search to its end; the prefix of each row, over all steps.
std::vector<Tokens> run(BeamSearch& search, Model& model) {
  std::vector<Tokens> prefixes;
  while (!search.over()) {
    std::vector<Row> rows;
    for (std::size_t index = 0; index < search.rows(); ++index) {
      prefixes.push_back(ids(search.running()[index].tokens));
      rows.push_back(model.candidates(prefixes.back(), search.candidates()));
    }
    search.advance(rows);
  }
  return prefixes;
}

class BeamSearchProperty : public ::testing::TestWithParam<std::uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, BeamSearchProperty, ::testing::Range<std::uint64_t>(0, 60));

TEST_P(BeamSearchProperty, FindsTheBestOfAllSequencesWhenNothingIsCutOff) {
  Model model(GetParam(), 3);
  // Of prefixes without an end there are at most 2^4.
  BeamSearch search({.beams = 16, .returned = 1, .length_penalty = 0, .early_stopping = EarlyStopping::kNever}, 5,
                    {kEnd});
  run(search, model);
  EXPECT_NEAR(static_cast<double>(search.results()[0].score), model.best({}, 5), 1e-4);
}

TEST_P(BeamSearchProperty, ResultsAreDistinctWholeSequencesInOrderWithTheirScores) {
  std::mt19937 random(static_cast<std::uint32_t>(GetParam()));
  const auto pick = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  Model model(GetParam() + 1000, pick(4, 9));
  const std::int32_t longest = pick(1, 12);
  const std::int32_t beams = pick(2, 6);
  const BeamParams params{.beams = beams,
                          .returned = pick(1, std::min(beams, 4)),
                          .length_penalty = pick(-4, 8) / 4.0,
                          .early_stopping = static_cast<EarlyStopping>(pick(0, 2))};
  BeamSearch search(params, longest, {kEnd});
  const std::vector<Tokens> prefixes = run(search, model);
  const auto results = search.results();
  ASSERT_THAT(results, SizeIs(params.returned));
  std::set<Tokens> seen;
  for (std::size_t index = 0; index < results.size(); ++index) {
    const Tokens tokens = ids(results[index].tokens);
    EXPECT_TRUE(seen.insert(tokens).second);
    const bool by_end = tokens.back() == kEnd;
    EXPECT_EQ(results[index].by_end, by_end);
    EXPECT_TRUE(by_end || std::ssize(tokens) == longest);
    EXPECT_EQ(std::count(tokens.begin(), tokens.end(), kEnd), by_end ? 1 : 0);
    const double length = std::pow(static_cast<double>(tokens.size()), params.length_penalty);
    EXPECT_NEAR(static_cast<double>(results[index].score), model.score(tokens) / length, 1e-4);
    EXPECT_LE(results[index].score, results[index == 0 ? 0 : index - 1].score);
    for (std::size_t at = 0; at < tokens.size(); ++at) {
      const Tokens prefix(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(at));
      EXPECT_EQ(prefixes[results[index].tokens[at].row], prefix) << "the row that gave the token is the prefix's";
    }
  }
}

TEST_P(BeamSearchProperty, RunningSequencesAreThoseOfTheirParents) {
  Model model(GetParam() + 2000, 7);
  BeamSearch search({.beams = 4, .returned = 1, .early_stopping = EarlyStopping::kNever}, 8, {kEnd});
  std::vector<Tokens> before{{}};
  while (!search.over()) {
    std::vector<Row> rows;
    for (const Tokens& prefix : before) rows.push_back(model.candidates(prefix, search.candidates()));
    search.advance(rows);
    std::vector<Tokens> now;
    for (const auto& running : search.running()) {
      Tokens parent = ids(running.tokens);
      now.push_back(parent);
      parent.pop_back();
      ASSERT_LT(running.parent, before.size());
      EXPECT_EQ(before[running.parent], parent);
    }
    before = now;
  }
}

}  // namespace
}  // namespace sida::router

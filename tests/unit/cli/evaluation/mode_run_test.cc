#include "cli/evaluation/mode_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace sida::cli {
namespace {

using ::testing::ElementsAre;

const TraceJob kShort{0, "short", {5}, {6}};
const TraceJob kShortToo{1, "short", {5}, {7}};
const TraceJob kSpans{2, "spans", {5}, {8}};

TEST(ModeWork, TasksWithAnswersAreAskedAndOthersScored) {
  const ModeWork work = mode_work({kShort, kSpans, kShortToo}, {"short", "pair"}, 0);
  EXPECT_THAT(work.answers, ElementsAre(kShort, kShortToo));
  EXPECT_THAT(work.texts, ElementsAre(kSpans));
}

TEST(ModeWork, TakesAsManyOfEachTaskAsAskedFor) {
  const ModeWork work = mode_work({kShort, kSpans, kShortToo}, {"short"}, 1);
  EXPECT_THAT(work.answers, ElementsAre(kShort));
  EXPECT_THAT(work.texts, ElementsAre(kSpans));
}

TEST(ModeWork, ScoresAnswersWhereThereIsNothingElse) {
  EXPECT_THAT(mode_work({kShort}, {"short"}, 0).texts, ElementsAre(kShort));
}

TEST(ModeResult, PerplexityIsWeightedByTargetTokens) {
  ModeResult result;
  result.losses["a"] = {1, std::log(2.0)};
  result.losses["b"] = {3, 3 * std::log(4.0)};
  EXPECT_NEAR(result.all_losses().perplexity(), std::exp((std::log(2.0) + 3 * std::log(4.0)) / 4), 1e-12);
  EXPECT_EQ(Loss().perplexity(), 0);
}

}  // namespace
}  // namespace sida::cli

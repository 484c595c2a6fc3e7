#include "router/scheduling/wait_estimate.h"

#include <gtest/gtest.h>

namespace sida::router {
namespace {

using std::chrono::milliseconds;

TimePoint at(int ms) {
  return TimePoint{} + milliseconds(ms);
}

double ms(std::optional<Duration> duration) {
  return std::chrono::duration<double, std::milli>(duration.value()).count();
}

// Sources of 10 tokens in 20 ms, token steps of 4 rows in 5 ms each.
WaitEstimate measured() {
  WaitEstimate estimate;
  for (int sample = 0; sample < 100; ++sample) estimate.encoded(10, at(0), at(20));
  for (int step = 0; step < 100; ++step) estimate.token_step(4, step == 0, at(5 * step));
  return estimate;
}

TEST(WaitEstimate, SaysNothingBeforeItHasSeenAnything) {
  WaitEstimate estimate;
  EXPECT_FALSE(estimate.expected({.source_tokens = 10, .rows = 1, .new_tokens = 1}));
  estimate.encoded(10, at(0), at(20));
  EXPECT_FALSE(estimate.expected({.source_tokens = 10, .rows = 1, .new_tokens = 1}));
  EXPECT_TRUE(estimate.expected({.source_tokens = 10})) << "what generates nothing needs no token steps";
}

TEST(WaitEstimate, CountsTheEncodingAndAStepForEachToken) {
  EXPECT_NEAR(ms(measured().expected({.source_tokens = 10, .rows = 4, .new_tokens = 6})), 20 + 6 * 5, 0.1);
}

TEST(WaitEstimate, ExpectsMoreTogetherToTakeLongerBeforeItHasSeenIt) {
  const double alone = ms(measured().expected({.source_tokens = 10, .rows = 4, .new_tokens = 6}));
  EXPECT_GT(ms(measured().expected({.source_tokens = 10, .rows = 40, .new_tokens = 6})), alone + 20);
  EXPECT_GT(ms(measured().expected({.source_tokens = 100, .rows = 4, .new_tokens = 6})), alone + 20);
}

TEST(WaitEstimate, LearnsHowTimesGrow) {
  WaitEstimate estimate = measured();
  TimePoint now = at(1000);
  estimate.token_step(4, true, now);
  for (int step = 0; step < 400; ++step) {
    const int rows = step % 2 == 0 ? 10 : 50;
    now += std::chrono::microseconds(2000 + 40 * rows);
    estimate.token_step(rows, false, now);
  }
  const double encoding = ms(estimate.expected({.source_tokens = 10}));
  EXPECT_NEAR(ms(estimate.expected({.source_tokens = 10, .rows = 100, .new_tokens = 1})) - encoding, 6, 0.1);
}

TEST(WaitEstimate, MeasuresTheLineOnlyWhileSomebodyWaits) {
  WaitEstimate estimate = measured();
  EXPECT_FALSE(estimate.expected({.line_tokens = 10, .source_tokens = 10})) << "nobody has waited yet";
  estimate.line(true, at(0));
  for (int step = 1; step <= 20; ++step) estimate.taken(100, at(10 * step));  // 10 tokens a millisecond.
  estimate.line(false, at(200));
  const double quiet = ms(estimate.expected({.line_tokens = 1000, .source_tokens = 10}));
  EXPECT_NEAR(quiet, 100 + 20, 10);
  estimate.line(true, at(60'000));
  EXPECT_NEAR(ms(estimate.expected({.line_tokens = 1000, .source_tokens = 10})), quiet, 0.1);
}

TEST(WaitEstimate, SaysNothingOfALineThatStandsStill) {
  WaitEstimate estimate = measured();
  estimate.line(true, at(0));
  for (int step = 1; step <= 20; ++step) estimate.taken(100, at(10 * step));
  ASSERT_TRUE(estimate.expected({.line_tokens = 1000, .source_tokens = 10}));
  for (int second = 1; second <= 60; ++second) estimate.line(true, at(200 + 1000 * second));
  EXPECT_FALSE(estimate.expected({.line_tokens = 1000, .source_tokens = 10}));
}

TEST(WaitEstimate, LearnsHowManyOfTheTokensAskedForAreGenerated) {
  WaitEstimate estimate = measured();
  for (int sequence = 0; sequence < 1000; ++sequence) estimate.finished(sequence % 10 == 0 ? 8 : 2, 16);
  const double tokens = (ms(estimate.expected({.source_tokens = 10, .rows = 4, .new_tokens = 16})) - 20) / 5;
  EXPECT_NEAR(tokens, 8, 1.5) << "one of ten takes 8: fewer would be too few for too many";
}

}  // namespace
}  // namespace sida::router

#include "router/scheduling/scheduler_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sida::router {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

const TimePoint kStart{};
const TimePoint kNever = TimePoint::max();
constexpr SequenceId kA{1};
constexpr SequenceId kB{2};
constexpr SequenceId kC{3};

void submit(SchedulerCore& core, SequenceId id, std::int64_t source, std::int64_t target = 0,
            TimePoint deadline = kNever) {
  ASSERT_TRUE(core.submit({id, source, target, deadline}, kStart));
}

StepId run_step(SchedulerCore& core, std::vector<SequenceId> finished = {}) {
  auto plan = core.next_step(kStart);
  SIDA_CHECK(plan.has_value());
  core.step_done(plan->step, finished, kStart);
  return plan->step;
}

TEST(SchedulerCore, EncodesInOneStepAndDecodesInTheNext) {
  SchedulerCore core({});
  submit(core, kA, 10);

  auto first = core.next_step(kStart);
  ASSERT_TRUE(first);
  EXPECT_THAT(first->encode, ElementsAre(kA));
  EXPECT_THAT(first->decode, IsEmpty());
  core.step_done(first->step, {}, kStart);

  auto second = core.next_step(kStart);
  ASSERT_TRUE(second);
  EXPECT_THAT(second->encode, IsEmpty());
  EXPECT_THAT(second->decode, ElementsAre(kA));
  EXPECT_GT(second->step, first->step);
}

TEST(SchedulerCore, PlansNothingWithoutWork) {
  SchedulerCore core({});
  EXPECT_FALSE(core.next_step(kStart));
}

TEST(SchedulerCore, PlansNothingWhileAStepIsInFlight) {
  SchedulerCore core({});
  submit(core, kA, 10);
  ASSERT_TRUE(core.next_step(kStart));
  submit(core, kB, 10);
  EXPECT_FALSE(core.next_step(kStart));
}

TEST(SchedulerCore, GoesOnDecodingWhileASourceIsEncoded) {
  SchedulerCore core({});
  submit(core, kA, 10);
  run_step(core);
  submit(core, kB, 4000);
  const auto token_step = core.next_step(kStart);
  const auto long_step = core.next_step(kStart);
  ASSERT_TRUE(token_step && long_step);
  EXPECT_THAT(token_step->decode, ElementsAre(kA));
  EXPECT_THAT(token_step->encode, IsEmpty());
  EXPECT_THAT(long_step->encode, ElementsAre(kB));
  EXPECT_FALSE(core.next_step(kStart));
  core.step_done(token_step->step, {}, kStart);
  const auto next = core.next_step(kStart);
  ASSERT_TRUE(next);
  EXPECT_THAT(next->decode, ElementsAre(kA));
  core.step_done(long_step->step, {}, kStart);
  core.step_done(next->step, {}, kStart);
  EXPECT_THAT(core.next_step(kStart)->decode, ElementsAre(kA, kB));
}

TEST(SchedulerCore, ScoresInALongStep) {
  SchedulerCore core({});
  submit(core, kA, 10);
  submit(core, kB, 10, 900);
  run_step(core);
  EXPECT_THAT(core.next_step(kStart)->decode, ElementsAre(kA));
  EXPECT_THAT(core.next_step(kStart)->decode, ElementsAre(kB));
}

TEST(SchedulerCore, EncodesInOrderOfArrivalUnderTheRowBudget) {
  SchedulerCore core({.rows_max = 25});
  submit(core, kA, 10);
  submit(core, kB, 15);
  submit(core, kC, 1);
  auto plan = core.next_step(kStart);
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->encode, ElementsAre(kA, kB));
}

TEST(SchedulerCore, TakesASourceLongerThanTheBudgetAlone) {
  SchedulerCore core({.rows_max = 25});
  submit(core, kA, 100);
  submit(core, kB, 1);
  auto plan = core.next_step(kStart);
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->encode, ElementsAre(kA));
}

TEST(SchedulerCore, DoesNotOvertakeALongSource) {
  SchedulerCore core({.rows_max = 25});
  submit(core, kA, 10);
  submit(core, kB, 100);
  submit(core, kC, 1);
  auto plan = core.next_step(kStart);
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->encode, ElementsAre(kA));
}

TEST(SchedulerCore, KeepsSequencesWaitingWhenEnoughAreRunning) {
  SchedulerCore core({.running_max = 1});
  submit(core, kA, 10);
  submit(core, kB, 10);
  run_step(core);
  EXPECT_EQ(core.running(), 1U);
  EXPECT_EQ(core.waiting(), 1U);
  run_step(core, {kA});
  auto plan = core.next_step(kStart);
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->encode, ElementsAre(kB));
}

TEST(SchedulerCore, ScoresAllTargetsInOneStepUnderTheRowBudget) {
  SchedulerCore core({.rows_max = 30});
  submit(core, kA, 10, 20);
  submit(core, kB, 10, 20);
  run_step(core);
  auto plan = core.next_step(kStart);
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->decode, ElementsAre(kA));
  core.step_done(plan->step, std::vector{kA}, kStart);
  plan = core.next_step(kStart);
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->decode, ElementsAre(kB));
}

TEST(SchedulerCore, AHeldSequenceStartsWhenItIsReleasedOrItsHoldIsOver) {
  SchedulerCore core({});
  submit(core, kA, 10);
  core.hold(kA, kStart + seconds(1));
  EXPECT_FALSE(core.next_step(kStart));
  EXPECT_EQ(core.next_deadline(kStart), kStart + seconds(1));
  core.release(kA);
  run_step(core);
  core.hold(kA, kStart + seconds(1));  // Now for its first decoder token.
  EXPECT_FALSE(core.next_step(kStart));
  EXPECT_TRUE(core.next_step(kStart + seconds(1)));
}

TEST(SchedulerCore, AHeldSequenceDoesNotHoldUpTheOthers) {
  SchedulerCore core({});
  submit(core, kA, 10);
  submit(core, kB, 10);
  core.hold(kA, kStart + seconds(1));
  const auto plan = core.next_step(kStart);
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->encode, ElementsAre(kB));
}

TEST(SchedulerCore, AHeldSequenceCanBeCancelled) {
  SchedulerCore core({});
  submit(core, kA, 10);
  core.hold(kA, kNever);
  core.cancel(kA);
  EXPECT_THAT(core.ended(kStart), ElementsAre(EndedSequence{kA, ErrorCode::kCancelled}));
}

TEST(SchedulerCore, RefusesMoreWaitingSequencesThanAllowed) {
  SchedulerCore core({.waiting_max = 1});
  submit(core, kA, 10);
  auto refused = core.submit({kB, 10}, kStart);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kOverloaded);
  EXPECT_EQ(core.waiting(), 1U);
}

TEST(SchedulerCore, RefusesMoreWaitingTokensThanAllowed) {
  SchedulerCore core({.waiting_tokens_max = 20});
  submit(core, kA, 10, 5);
  auto refused = core.submit({kB, 6}, kStart);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kOverloaded);
  EXPECT_TRUE(core.submit({kB, 5}, kStart));
}

TEST(SchedulerCore, AdmitsALongSequenceToAnEmptyQueue) {
  SchedulerCore core({.waiting_tokens_max = 20});
  EXPECT_TRUE(core.submit({kA, 100}, kStart));
}

TEST(SchedulerCore, EndsAWaitingSequencePastItsDeadline) {
  SchedulerCore core({});
  submit(core, kA, 10, 0, kStart + seconds(1));
  EXPECT_EQ(core.next_deadline(kStart), kStart + seconds(1));
  EXPECT_THAT(core.ended(kStart), IsEmpty());
  EXPECT_THAT(core.ended(kStart + seconds(1)), ElementsAre(EndedSequence{kA, ErrorCode::kDeadlineExceeded}));
  EXPECT_THAT(core.ended(kStart + seconds(2)), IsEmpty());
  EXPECT_EQ(core.waiting_tokens(), 0);
  EXPECT_EQ(core.next_deadline(kStart), kNever);
}

TEST(SchedulerCore, EndsARunningSequencePastItsDeadlineAtTheEndOfItsStep) {
  SchedulerCore core({});
  submit(core, kA, 10, 0, kStart + seconds(1));
  auto plan = core.next_step(kStart);
  ASSERT_TRUE(plan);
  EXPECT_THAT(core.ended(kStart + seconds(2)), IsEmpty());
  core.step_done(plan->step, {}, kStart + seconds(2));
  EXPECT_FALSE(core.next_step(kStart + seconds(2)));
  EXPECT_THAT(core.ended(kStart + seconds(2)), ElementsAre(EndedSequence{kA, ErrorCode::kDeadlineExceeded}));
  EXPECT_EQ(core.running(), 0U);
}

TEST(SchedulerCore, NeverStartsACancelledSequence) {
  SchedulerCore core({});
  submit(core, kA, 10);
  core.cancel(kA);
  EXPECT_FALSE(core.next_step(kStart));
  EXPECT_THAT(core.ended(kStart), ElementsAre(EndedSequence{kA, ErrorCode::kCancelled}));
}

TEST(SchedulerCore, CancelsARunningSequenceAtTheEndOfItsStep) {
  SchedulerCore core({});
  submit(core, kA, 10);
  auto plan = core.next_step(kStart);
  ASSERT_TRUE(plan);
  core.cancel(kA);
  EXPECT_THAT(core.ended(kStart), IsEmpty());
  core.step_done(plan->step, {}, kStart);
  EXPECT_THAT(core.ended(kStart), ElementsAre(EndedSequence{kA, ErrorCode::kCancelled}));
  EXPECT_FALSE(core.next_step(kStart));
}

// An answer that ends at a stop text is cancelled. What passes until the next one is no time between tokens, which
// would make everybody after it look late.
TEST(SchedulerCore, IdleTimeAfterACancelledAnswerMakesNobodyLate) {
  SchedulerCore core({});
  TimePoint now = kStart;
  const auto step = [&] {
    const auto plan = core.next_step(now);
    SIDA_CHECK(plan.has_value());
    now += std::chrono::milliseconds(1);
    core.step_done(plan->step, {}, now);
  };
  for (std::uint64_t id = 1; id <= 20; ++id) {
    ASSERT_TRUE(core.submit({.sequence = SequenceId{id}, .source_tokens = 10, .new_tokens = 10}, now));
    for (int steps = 0; steps < 4; ++steps) step();
    core.cancel(SequenceId{id});
    ASSERT_THAT(core.ended(now), testing::SizeIs(1));
    now += seconds(60);
  }
  ASSERT_TRUE(core.submit({.sequence = kA, .source_tokens = 10, .new_tokens = 10}, now));
  for (int steps = 0; steps < 3; ++steps) step();
  EXPECT_TRUE(core.submit(
      {.sequence = kB, .source_tokens = 10, .deadline = now + std::chrono::milliseconds(200), .new_tokens = 10}, now));
}

TEST(SchedulerCore, ASequenceThatFinishesInTheStepThatItIsCancelledInHasFinished) {
  SchedulerCore core({});
  submit(core, kA, 10);
  auto plan = core.next_step(kStart);
  ASSERT_TRUE(plan);
  core.cancel(kA);
  core.step_done(plan->step, std::vector{kA}, kStart);
  EXPECT_THAT(core.ended(kStart), IsEmpty());
}

TEST(SchedulerCore, StartsNoSequenceWhoseCacheDoesNotFitBesideTheRunningOnes) {
  SchedulerCore core({.cache_tokens_max = 100});
  ASSERT_TRUE(core.submit({kA, 30, 0, kNever, 200}, kStart));  // Alone it runs, whatever its size.
  submit(core, kB, 1);
  run_step(core);
  EXPECT_EQ(core.running(), 1U);
  run_step(core, {kA});
  ASSERT_TRUE(core.submit({kC, 50, 0, kNever, 49}, kStart));
  run_step(core);
  EXPECT_EQ(core.running(), 2U);
}

TEST(SchedulerCore, IgnoresTheCancellationOfAnUnknownSequence) {
  SchedulerCore core({});
  core.cancel(kA);
  EXPECT_THAT(core.ended(kStart), IsEmpty());
}

}  // namespace
}  // namespace sida::router

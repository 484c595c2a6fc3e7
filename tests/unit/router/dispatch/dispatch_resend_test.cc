// What the dispatch core does when rows do not come back.
#include "router/dispatch/dispatch_core.h"
#include "tests/unit/router/dispatch/dispatch_fixture.h"

namespace sida::router {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class DispatchResendTest : public DispatchCoreTest {
 protected:
  // Leaves a call with one part on one of two workers.
  Part start_on_one_of_two() {
    join({make_member(1), make_member(2)});
    earn_budget(20);
    return only_part(start({0, 0}));
  }
  static WorkerId other(WorkerId worker) { return WorkerId{3 - worker.value}; }
};

TEST_F(DispatchResendTest, SendsRowsOfALostWorkerAgain) {
  const Part lost = start_on_one_of_two();
  const Part again = only_part(join({make_member(other(lost.worker).value)}));
  EXPECT_EQ(again.worker, other(lost.worker));
  EXPECT_EQ(again.rows, lost.rows);
  EXPECT_EQ(again.id.attempt, 1U);
  EXPECT_NE(again.id.part, lost.id.part);
  EXPECT_EQ(core.counters().resends_lost, 1U);
  EXPECT_TRUE(completes(answer(again)));
}

TEST_F(DispatchResendTest, IgnoresTheResultOfALostWorker) {
  const Part lost = start_on_one_of_two();
  const Part again = only_part(join({make_member(other(lost.worker).value)}));
  EXPECT_THAT(answer(lost), IsEmpty());
  EXPECT_EQ(core.counters().late_results, 1U);
  EXPECT_TRUE(completes(answer(again)));
}

TEST_F(DispatchResendTest, SendsLostRowsToTheNextIncarnationOfTheSameWorker) {
  join({make_member(1)});
  start({0});
  auto restarted = make_member(9);
  restarted.name = "worker-1";
  EXPECT_EQ(only_part(join({restarted})).worker, WorkerId{9});
}

TEST_F(DispatchResendTest, SendsLateRowsToAnotherWorkerWithinTheBudget) {
  const Part late = start_on_one_of_two();
  EXPECT_EQ(core.next_deadline(), now + limits.part_deadline);
  const Part again = only_part(wait(limits.part_deadline));
  EXPECT_EQ(again.worker, other(late.worker));
  EXPECT_EQ(core.counters().resends_late, 1U);
}

TEST_F(DispatchResendTest, SparesAWorkerThatLeftADispatchUnansweredForAWhile) {
  const Part late = start_on_one_of_two();
  answer(only_part(wait(limits.part_deadline)));
  const auto owner_of_next_call = [&](std::uint64_t call) {
    const Part part = only_part(start({0}, CallId{call}));
    answer(part);
    return part.worker;
  };
  EXPECT_EQ(owner_of_next_call(2), other(late.worker));
  wait(seconds(5));
  EXPECT_EQ(owner_of_next_call(3), late.worker) << "it is tried again";
  EXPECT_EQ(owner_of_next_call(4), late.worker) << "it answered";
}

TEST_F(DispatchResendTest, GivesRowsToASuspectedWorkerWhenNobodyElseIsLeft) {
  const Part late = start_on_one_of_two();
  answer(only_part(wait(limits.part_deadline)));
  join({make_member(late.worker.value)});
  EXPECT_EQ(only_part(start({0}, CallId{2})).worker, late.worker);
}

TEST_F(DispatchResendTest, WaitsOnWhenTheBudgetForLateRowsIsSpent) {
  join({make_member(1), make_member(2)});
  earn_budget(8);  // With the part itself nine: a tenth is less than one.
  const Part late = only_part(start({0}));
  EXPECT_THAT(wait(limits.part_deadline), IsEmpty());
  EXPECT_GT(core.next_deadline(), now);
  EXPECT_TRUE(completes(answer(late)));
}

TEST_F(DispatchResendTest, WaitsOnWhenNoOtherWorkerIsLeft) {
  join({make_member(1)});
  earn_budget(20);
  const Part late = only_part(start({0}));
  EXPECT_THAT(wait(limits.part_deadline), IsEmpty());
  EXPECT_TRUE(completes(answer(late)));
}

TEST_F(DispatchResendTest, GivesUpAPartThatIsNeverAnswered) {
  join({make_member(1)});
  const Part silent = only_part(start({0}));
  for (Duration waited{}; waited < limits.part_lost_after - limits.part_deadline; waited += limits.part_deadline) {
    EXPECT_THAT(wait(limits.part_deadline), IsEmpty());
  }
  EXPECT_THAT(all<CancelPart>(wait(limits.part_deadline)), SizeIs(1));
  EXPECT_EQ(core.counters().resends_lost, 1U);
  const Part again = only_part(wait(limits.retry_delay));
  EXPECT_NE(again.id, silent.id);
  EXPECT_TRUE(completes(answer(again)));
}

TEST_F(DispatchResendTest, TakesTheFirstAnswerAndCancelsTheOther) {
  const Part late = start_on_one_of_two();
  const Part again = only_part(wait(limits.part_deadline));
  const auto actions = answer(late);
  EXPECT_TRUE(completes(actions));
  ASSERT_THAT(all<CancelPart>(actions), SizeIs(1));
  EXPECT_EQ(all<CancelPart>(actions)[0].id, again.id);
  EXPECT_THAT(answer(again), IsEmpty());
  EXPECT_EQ(core.counters().late_results, 1U);
}

TEST_F(DispatchResendTest, CancelsTheLatePartWhenItsResendAnswersFirst) {
  const Part late = start_on_one_of_two();
  const Part again = only_part(wait(limits.part_deadline));
  const auto actions = answer(again);
  EXPECT_TRUE(completes(actions));
  ASSERT_THAT(all<CancelPart>(actions), SizeIs(1));
  EXPECT_EQ(all<CancelPart>(actions)[0].worker, late.worker);
}

TEST_F(DispatchResendTest, AcceptsOnlyTheRowsThatASupersededPartStillOwes) {
  // The rows of the late part go to two workers; one of them answers before the late worker does.
  std::vector members{make_member(1), make_member(2), make_member(3)};
  join({members[0]});
  earn_budget(40);
  const Part late = only_part(start({0, 1, 2, 3, 4, 5, 6, 7}));
  join(members);
  const auto again = parts(wait(limits.part_deadline));
  ASSERT_THAT(again, SizeIs(2));
  EXPECT_FALSE(completes(answer(again[0])));
  const auto actions = answer(late);
  EXPECT_TRUE(completes(actions));
  const auto accepted = all<AcceptRows>(actions);
  ASSERT_THAT(accepted, SizeIs(1));
  EXPECT_EQ(std::ranges::count(accepted[0].rows, -1), static_cast<std::ptrdiff_t>(again[0].rows.size()));
}

TEST_F(DispatchResendTest, StillResendsWhenTheWorkerOfTheResendIsLost) {
  const Part late = start_on_one_of_two();
  const Part again = only_part(wait(limits.part_deadline));
  join({make_member(late.worker.value)});
  // Only the late worker is left: it gets the rows once more, after the delay.
  EXPECT_EQ(core.counters().resends_lost, 1U);
  const Part third = only_part(wait(seconds(1)));
  EXPECT_EQ(third.worker, late.worker);
  EXPECT_EQ(third.rows, again.rows);
  EXPECT_TRUE(completes(answer(third)));
}

TEST_F(DispatchResendTest, WaitsLongerForAWorkerThatSaysHowLongItReads) {
  const Part slow = start_on_one_of_two();
  core.estimate(slow.worker, {slow.id, seconds(3)}, now);
  EXPECT_THAT(wait(seconds(3) + limits.part_deadline - milliseconds(1)), IsEmpty());
  EXPECT_THAT(parts(wait(milliseconds(1))), SizeIs(1));
}

TEST_F(DispatchResendTest, TakesOneEstimatePerDispatchAndNoneTooLong) {
  const Part slow = start_on_one_of_two();
  core.estimate(slow.worker, {slow.id, std::chrono::hours(10)}, now);
  core.estimate(slow.worker, {slow.id, std::chrono::hours(20)}, now);
  EXPECT_EQ(core.next_deadline(), now + limits.estimate_max + limits.part_deadline);
}

TEST_F(DispatchResendTest, SendsFailedRowsToAnotherWorkerAtOnce) {
  const Part failed = start_on_one_of_two();
  const Part again = only_part(refuse(failed));
  EXPECT_EQ(again.worker, other(failed.worker));
  EXPECT_EQ(core.counters().resends_failed, 1U);
  EXPECT_TRUE(completes(answer(again)));
}

TEST_F(DispatchResendTest, TriesAFailedWorkerAgainAfterADelayWhenNobodyElseIsLeft) {
  join({make_member(1)});
  const Part failed = only_part(start({0}));
  EXPECT_THAT(refuse(failed), IsEmpty());
  EXPECT_EQ(core.next_deadline(), now + limits.retry_delay);
  EXPECT_TRUE(completes(answer(only_part(wait(limits.retry_delay)))));
}

TEST_F(DispatchResendTest, GivesWaitingRowsToAWorkerThatJoins) {
  join({make_member(1)});
  refuse(only_part(start({0})));
  EXPECT_EQ(only_part(join({make_member(1), make_member(2)})).worker, WorkerId{2});
}

TEST_F(DispatchResendTest, FailsTheCallWhenARowWasTriedTooOften) {
  join({make_member(1), make_member(2)});
  auto actions = start({0});
  for (int attempt = 1; attempt <= limits.attempts_max; ++attempt) {
    if (parts(actions).empty()) actions = wait(seconds(1));
    actions = refuse(only_part(actions));
  }
  ASSERT_THAT(all<FailCall>(actions), SizeIs(1));
  EXPECT_EQ(all<FailCall>(actions)[0].error.code, ErrorCode::kUnavailable);
  EXPECT_THAT(all<FailCall>(actions)[0].error.message, testing::HasSubstr("disk on fire"));
}

TEST_F(DispatchResendTest, SendsRowsElsewhereWhenTheLinkIsFull) {
  const Part refused = start_on_one_of_two();
  const Part again = only_part(core.send_refused(refused.id, now));
  EXPECT_EQ(again.worker, other(refused.worker));
  EXPECT_EQ(again.id.attempt, 1U);
  EXPECT_EQ(core.counters().resends_failed, 0U);
}

TEST_F(DispatchResendTest, MovesPartsThatWaitTooLongForCredit) {
  join({make_member(1), make_member(2)});
  const WorkerId owner = only_part(start({0}, CallId{1})).worker;
  auto members = std::vector{make_member(1), make_member(2)};
  members[owner.value - 1].capacity.credit_bytes = kRowBytes;
  join(members);
  EXPECT_THAT(start({0}, CallId{2}), IsEmpty());
  const Part moved = only_part(wait(limits.part_deadline));
  EXPECT_EQ(moved.call, CallId{2});
  EXPECT_EQ(moved.worker, other(owner));
  EXPECT_EQ(core.counters().resends_late, 0U) << "it was never sent, so nothing is computed twice";
}

TEST_F(DispatchResendTest, PrefersTheNumericsIdOfTheLostWorker) {
  auto members = std::vector{make_member(1, 10), make_member(2, 20), make_member(3, 10), make_member(4, 20)};
  for (auto& member : members) member.capacity.slots = kExpertsTotal / 4;  // Neither id can hold the model.
  join(members);
  const auto sent = parts(start({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
  ASSERT_THAT(sent, SizeIs(4));
  std::erase_if(members, [&](const proto::Member& member) { return member.worker == sent[0].worker; });
  const Part again = only_part(join(members));
  EXPECT_EQ(again.worker.value % 2, sent[0].worker.value % 2);
}

}  // namespace
}  // namespace sida::router

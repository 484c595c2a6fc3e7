// The ordinary course: splitting, accepting, credit, members.
#include "router/dispatch/dispatch_core.h"

#include <map>

#include "common/placement/owners.h"
#include "tests/unit/router/dispatch/dispatch_fixture.h"

namespace sida::router {
namespace {

using Group = proto::Dispatch::Group;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(DispatchCoreTest, SendsRowsGroupedByExpertAndCompletesWithTheResult) {
  join({make_member(1)});
  const auto actions = start({4, 2, 4});
  const Part part = only_part(actions);
  EXPECT_EQ(part.worker, WorkerId{1});
  EXPECT_EQ(part.id.router, kRouter);
  EXPECT_EQ(part.id.step, StepId{5});
  EXPECT_EQ(part.id.layer, kLayer);
  EXPECT_EQ(part.id.attempt, 0U);
  EXPECT_THAT(part.groups, ElementsAre(Group{ExpertId{2}, 1}, Group{ExpertId{4}, 2}));
  EXPECT_THAT(part.rows, ElementsAre(1, 0, 2));

  const auto done = answer(part);
  ASSERT_THAT(done, SizeIs(2));
  EXPECT_THAT(std::get<AcceptRows>(done[0]).rows, ElementsAre(1, 0, 2));
  EXPECT_EQ(std::get<CompleteCall>(done[1]).call, kCall);
}

TEST_F(DispatchCoreTest, SkipsRowsWithoutAnExpert) {
  join({make_member(1)});
  EXPECT_THAT(only_part(start({-1, 3, -1})).rows, ElementsAre(1));
}

TEST_F(DispatchCoreTest, CompletesACallWithoutRowsAtOnce) {
  EXPECT_TRUE(completes(start({-1, -1})));
  EXPECT_EQ(core.next_deadline(), kNever);
}

TEST_F(DispatchCoreTest, SendsEveryRowToItsOwner) {
  const std::vector members{make_member(1), make_member(2), make_member(3)};
  const placement::Owners owners(members, kExpertsTotal);
  join(members);
  std::vector<std::int32_t> experts;
  for (std::int32_t expert = 0; expert < 32; ++expert) experts.push_back(expert);
  std::size_t rows = 0;
  for (const Part& part : parts(start(experts))) {
    for (std::int32_t row : part.rows) {
      EXPECT_EQ(part.worker, owners.of({kLayer, ExpertId{experts[static_cast<std::size_t>(row)]}}).front());
      ++rows;
    }
  }
  EXPECT_EQ(rows, experts.size());
}

TEST_F(DispatchCoreTest, CompletesWhenTheLastOfSeveralPartsIsBack) {
  join({make_member(1), make_member(2)});
  const auto sent = parts(start({0, 1, 2, 3, 4, 5, 6, 7}));
  ASSERT_THAT(sent, SizeIs(2));
  EXPECT_FALSE(completes(answer(sent[1])));
  EXPECT_TRUE(completes(answer(sent[0])));
}

TEST_F(DispatchCoreTest, SplitsPartsAboveTheByteLimit) {
  limits.part_bytes_max = 2 * kRowBytes;
  DispatchCore small(kRouter, kRowBytes, kExpertsTotal, limits);
  small.members_changed({make_member(1)}, now);
  const auto sent = parts(small.start(kCall, StepId{5}, kLayer, std::vector<std::int32_t>{0, 0, 0}, kNever, now));
  ASSERT_THAT(sent, SizeIs(2));
  EXPECT_THAT(sent[0].rows, SizeIs(2));
  EXPECT_THAT(sent[1].rows, SizeIs(1));
  EXPECT_NE(sent[0].id, sent[1].id);
}

TEST_F(DispatchCoreTest, HoldsPartsBeyondTheCreditUntilResultsReturn) {
  auto member = make_member(1);
  member.capacity.credit_bytes = 3 * kRowBytes;
  join({member});
  const Part first = only_part(start({0, 0}, CallId{1}));
  EXPECT_THAT(start({0, 0}, CallId{2}), IsEmpty());
  EXPECT_THAT(start({0}, CallId{3}), IsEmpty()) << "later parts do not overtake";
  EXPECT_EQ(core.bytes_in_flight(WorkerId{1}), 2 * kRowBytes);

  const auto next = parts(answer(first));
  ASSERT_THAT(next, SizeIs(2));
  EXPECT_EQ(next[0].call, CallId{2});
  EXPECT_EQ(next[1].call, CallId{3});
  EXPECT_EQ(core.bytes_in_flight(WorkerId{1}), 3 * kRowBytes);
}

TEST_F(DispatchCoreTest, SendsAPartLargerThanTheWholeCreditAlone) {
  auto member = make_member(1);
  member.capacity.credit_bytes = 1;
  join({member});
  const Part first = only_part(start({0, 0}, CallId{1}));
  EXPECT_THAT(start({0}, CallId{2}), IsEmpty());
  EXPECT_THAT(parts(answer(first)), SizeIs(1));
}

TEST_F(DispatchCoreTest, GivesDrainingWorkersNothingNewAndTakesWhatTheyFinish) {
  join({make_member(1)});
  const Part old = only_part(start({0}, CallId{1}));
  auto draining = make_member(1);
  draining.draining = true;
  EXPECT_THAT(join({draining, make_member(2)}), IsEmpty());
  EXPECT_EQ(only_part(start({0}, CallId{2})).worker, WorkerId{2});
  EXPECT_TRUE(completes(answer(old)));
}

TEST_F(DispatchCoreTest, MovesPartsThatWaitForCreditOffADrainingWorker) {
  auto member = make_member(1);
  member.capacity.credit_bytes = kRowBytes;
  join({member});
  start({0}, CallId{1});
  start({0}, CallId{2});
  member.draining = true;
  const Part moved = only_part(join({member, make_member(2)}));
  EXPECT_EQ(moved.call, CallId{2});
  EXPECT_EQ(moved.worker, WorkerId{2});
  EXPECT_EQ(core.counters().resends_lost, 0U);
}

TEST_F(DispatchCoreTest, WaitsForAFirstWorker) {
  EXPECT_THAT(start({0}), IsEmpty());
  now += seconds(4);
  EXPECT_EQ(only_part(join({make_member(1)})).worker, WorkerId{1});
}

TEST_F(DispatchCoreTest, FailsACallThatNoWorkerCoversAfterSomePatience) {
  auto other_layer = make_member(1);
  other_layer.covered_layers = {LayerId{0}};
  join({other_layer});
  start({0});
  EXPECT_EQ(core.next_deadline(), kStart + limits.no_worker_patience);
  EXPECT_THAT(wait(limits.no_worker_patience / 2), IsEmpty());
  const auto failed = all<FailCall>(wait(limits.no_worker_patience));
  ASSERT_THAT(failed, SizeIs(1));
  EXPECT_EQ(failed[0].error.code, ErrorCode::kUnavailable);
  EXPECT_EQ(core.next_deadline(), kNever);
}

TEST_F(DispatchCoreTest, FailsACallPastItsDeadlineAndCancelsItsParts) {
  join({make_member(1)});
  const Part part = only_part(start({0}, kCall, kStart + seconds(1)));
  EXPECT_EQ(core.next_deadline(), kStart + seconds(1));
  const auto actions = wait(seconds(1));
  ASSERT_THAT(all<FailCall>(actions), SizeIs(1));
  EXPECT_EQ(all<FailCall>(actions)[0].error.code, ErrorCode::kDeadlineExceeded);
  ASSERT_THAT(all<CancelPart>(actions), SizeIs(1));
  EXPECT_EQ(all<CancelPart>(actions)[0].id, part.id);
  EXPECT_EQ(core.bytes_in_flight(WorkerId{1}), 0U);
}

TEST_F(DispatchCoreTest, CancelsThePartsOfACancelledCallAndIgnoresTheirResults) {
  join({make_member(1)});
  const Part part = only_part(start({0}));
  const auto actions = core.cancel(kCall, now);
  ASSERT_THAT(actions, SizeIs(1));
  EXPECT_EQ(std::get<CancelPart>(actions[0]).id, part.id);
  EXPECT_THAT(answer(part), IsEmpty());
  EXPECT_EQ(core.counters().late_results, 1U);
}

TEST_F(DispatchCoreTest, CountsAndIgnoresResultsThatItDidNotAskFor) {
  join({make_member(1), make_member(2)});
  const Part part = only_part(start({0}));
  auto forged = result_of(part);
  forged.id.router = RouterId{1};
  EXPECT_THAT(core.result(part.worker, forged, now), IsEmpty());
  const WorkerId other{part.worker == WorkerId{1} ? 2U : 1U};
  EXPECT_THAT(core.result(other, result_of(part), now), IsEmpty());
  EXPECT_EQ(core.counters().malformed_results, 2U);
  EXPECT_TRUE(completes(answer(part)));
}

TEST_F(DispatchCoreTest, SendsRowsElsewhereAfterAResultOfTheWrongShape) {
  join({make_member(1), make_member(2)});
  const Part part = only_part(start({0, 0}));
  auto wrong = result_of(part);
  wrong.shape.rows = 1;
  EXPECT_NE(only_part(core.result(part.worker, wrong, now)).worker, part.worker);
  EXPECT_EQ(core.counters().malformed_results, 1U);
}

TEST_F(DispatchCoreTest, CountsRowsOfACallThatCrossANumericsId) {
  // Neither id can hold the model alone, so experts are spread over both.
  auto first = make_member(1, 10);
  auto second = make_member(2, 20);
  first.capacity.slots = second.capacity.slots = kExpertsTotal / 2;
  join({first, second});
  const auto sent = parts(start({0, 1, 2, 3, 4, 5, 6, 7}));
  ASSERT_THAT(sent, SizeIs(2));
  for (const Part& part : sent) answer(part);
  EXPECT_EQ(core.counters().numerics_crossings, sent[1].rows.size());
}

TEST_F(DispatchCoreTest, KeepsToOneNumericsIdWhenItCanHoldTheModel) {
  join({make_member(1, 10), make_member(2, 10), make_member(3, 20)});
  for (const Part& part : parts(start({0, 1, 2, 3, 4, 5, 6, 7}))) {
    EXPECT_NE(part.worker, WorkerId{3});
    answer(part);
  }
  EXPECT_EQ(core.counters().numerics_crossings, 0U);
}

}  // namespace
}  // namespace sida::router

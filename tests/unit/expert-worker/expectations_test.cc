#include "expert-worker/residency/expectations.h"

#include <gtest/gtest.h>

namespace sida::worker {
namespace {

using std::chrono::seconds;

constexpr ExpertKey kFirst{LayerId{0}, ExpertId{3}};
constexpr ExpertKey kSecond{LayerId{0}, ExpertId{1}};
constexpr ExpertKey kThird{LayerId{1}, ExpertId{1}};
constexpr Adviser kOne{transport::PeerId{1}, SequenceId{1}};
constexpr Adviser kOther{transport::PeerId{1}, SequenceId{2}};

TEST(Expectations, ComeInTheOrderInWhichTheyWereTold) {
  Expectations expected(10, seconds(2));
  expected.expect(kFirst, 1, kOne, {});
  expected.expect(kSecond, 1, kOne, {});
  expected.expect(kFirst, 1, kOne, {});  // Keeps its place.
  EXPECT_LT(*expected.turn(kFirst), *expected.turn(kSecond));
  EXPECT_FALSE(expected.turn(kThird));
  EXPECT_EQ(expected.size(), 2U);
}

TEST(Expectations, KnowTheUseAfterTheNext) {
  Expectations expected(10, seconds(2));
  expected.expect(kFirst, 1, kOne, {});
  expected.expect(kSecond, 1, kOne, {});
  expected.expect(kFirst, 2, kOther, {});
  expected.demand(kFirst, 1);
  EXPECT_EQ(expected.turn(kFirst), 0U) << "now";
  expected.serve(kFirst);
  EXPECT_GT(*expected.turn(kFirst), *expected.turn(kSecond)) << "again, by the other sequence";
}

TEST(Expectations, AreMetTogetherByADispatchWithTheRowsOfSeveralSequences) {
  Expectations expected(10, seconds(2));
  expected.expect(kFirst, 3, kOne, {});
  expected.expect(kFirst, 2, kOther, {});
  expected.demand(kFirst, 5);
  expected.serve(kFirst);
  EXPECT_FALSE(expected.turn(kFirst));
}

TEST(Expectations, StayNeededNowUntilEveryDispatchIsServed) {
  Expectations expected(10, seconds(2));
  expected.demand(kFirst, 1);
  expected.demand(kFirst, 1);
  expected.serve(kFirst);
  EXPECT_EQ(expected.turn(kFirst), 0U);
  expected.serve(kFirst);
  EXPECT_FALSE(expected.turn(kFirst));
}

TEST(Expectations, NextIsTheFirstThatIsNotThere) {
  Expectations expected(10, seconds(2));
  SlotTable slots(3);
  EXPECT_FALSE(expected.next(slots));
  expected.expect(kFirst, 1, kOne, {});
  expected.expect(kSecond, 1, kOne, {});
  const auto loading = slots.begin_load(kFirst);
  EXPECT_EQ(expected.next(slots), kSecond);
  slots.end_load(*loading, false);
  EXPECT_EQ(expected.next(slots), kFirst);
  expected.demand(kFirst, 1);  // Its dispatch has it read.
  EXPECT_EQ(expected.next(slots), kSecond);
}

TEST(Expectations, HaveNoNextBehindMoreThanThereAreSlots) {
  Expectations expected(10, seconds(2));
  SlotTable slots(1);
  slots.end_load(*slots.begin_load(kFirst), true);
  expected.expect(kFirst, 1, kOne, {});
  expected.expect(kSecond, 1, kOne, {});
  EXPECT_FALSE(expected.next(slots)) << "the only slot holds what is needed sooner";
}

TEST(Expectations, EndAfterTheirTime) {
  Expectations expected(10, seconds(2));
  const TimePoint start{};
  expected.expect(kFirst, 1, kOne, start);
  expected.expect(kSecond, 1, kOne, start + seconds(1));
  expected.expire(start + seconds(2));
  EXPECT_FALSE(expected.turn(kFirst));
  EXPECT_TRUE(expected.turn(kSecond));
  expected.expire(start + seconds(3));
  EXPECT_EQ(expected.size(), 0U);
}

TEST(Expectations, EndWithTheirSequence) {
  Expectations expected(10, seconds(2));
  expected.expect(kFirst, 1, kOne, {});
  expected.expect(kSecond, 1, kOne, {});
  expected.expect(kSecond, 1, kOther, {});
  expected.forget(kOne);
  EXPECT_FALSE(expected.turn(kFirst));
  EXPECT_TRUE(expected.turn(kSecond));
  EXPECT_EQ(expected.size(), 1U);
}

TEST(Expectations, EndForWhatCannotBeRead) {
  Expectations expected(10, seconds(2));
  expected.expect(kFirst, 1, kOne, {});
  expected.expect(kFirst, 1, kOther, {});
  expected.give_up(kFirst);
  expected.give_up(kThird);  // Nobody expected it.
  EXPECT_EQ(expected.size(), 0U);
}

TEST(Expectations, AreDroppedBeyondTheLimit) {
  Expectations expected(2, seconds(2));
  for (const ExpertKey key : {kFirst, kSecond, kThird}) expected.expect(key, 1, kOne, {});
  EXPECT_FALSE(expected.turn(kThird));
}

}  // namespace
}  // namespace sida::worker

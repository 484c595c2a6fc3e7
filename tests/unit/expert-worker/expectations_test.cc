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

void expect(Expectations& expected, Adviser adviser, ExpertKey key, std::uint32_t rows, TimePoint now,
            std::uint32_t step = 0) {
  expected.advise(adviser, {adviser.sequence, step, {{key, rows}}}, now);
}

TEST(Expectations, ComeInTheOrderInWhichTheyWereTold) {
  Expectations expected(10, seconds(2));
  expect(expected, kOne, kFirst, 1, {});
  expect(expected, kOne, kSecond, 1, {});
  expect(expected, kOne, kFirst, 1, {});  // Keeps its place.
  EXPECT_LT(*expected.turn(kFirst), *expected.turn(kSecond));
  EXPECT_FALSE(expected.turn(kThird));
  EXPECT_EQ(expected.size(), 2U);
}

TEST(Expectations, KnowTheUseAfterTheNext) {
  Expectations expected(10, seconds(2));
  expect(expected, kOne, kFirst, 1, {});
  expect(expected, kOne, kSecond, 1, {});
  expect(expected, kOther, kFirst, 2, {});
  expected.demand(kFirst, 1);
  EXPECT_EQ(expected.turn(kFirst), 0U) << "now";
  expected.serve(kFirst);
  EXPECT_GT(*expected.turn(kFirst), *expected.turn(kSecond)) << "again, by the other sequence";
}

TEST(Expectations, AreMetTogetherByADispatchWithTheRowsOfSeveralSequences) {
  Expectations expected(10, seconds(2));
  expect(expected, kOne, kFirst, 3, {});
  expect(expected, kOther, kFirst, 2, {});
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
  expect(expected, kOne, kFirst, 1, {});
  expect(expected, kOne, kSecond, 1, {});
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
  expect(expected, kOne, kFirst, 1, {});
  expect(expected, kOne, kSecond, 1, {});
  EXPECT_FALSE(expected.next(slots)) << "the only slot holds what is needed sooner";
}

TEST(Expectations, EndAfterTheirTime) {
  Expectations expected(10, seconds(2));
  const TimePoint start{};
  expect(expected, kOne, kFirst, 1, start);
  expect(expected, kOne, kSecond, 1, start + seconds(1));
  expected.expire(start + seconds(2));
  EXPECT_FALSE(expected.turn(kFirst));
  EXPECT_TRUE(expected.turn(kSecond));
  expected.expire(start + seconds(3));
  EXPECT_EQ(expected.size(), 0U);
}

TEST(Expectations, EndWithTheirSequence) {
  Expectations expected(10, seconds(2));
  expect(expected, kOne, kFirst, 1, {});
  expect(expected, kOne, kSecond, 1, {});
  expect(expected, kOther, kSecond, 1, {});
  expected.forget(kOne);
  EXPECT_FALSE(expected.turn(kFirst));
  EXPECT_TRUE(expected.turn(kSecond));
  EXPECT_EQ(expected.size(), 1U);
}

TEST(Expectations, EndWithTheStepThatTheyAreFor) {
  Expectations expected(10, seconds(2));
  expect(expected, kOne, kFirst, 1, {});
  expect(expected, kOther, kFirst, 1, {});
  expect(expected, kOne, kSecond, 1, {}, 1);
  EXPECT_EQ(expected.size(), 2U);
  EXPECT_TRUE(expected.turn(kFirst)) << "the other sequence expects it still";
  expected.advise(kOne, {kOne.sequence, 2, {}}, {});
  EXPECT_FALSE(expected.turn(kSecond));
  expect(expected, kOther, kThird, 1, {}, 5);
  expect(expected, kOther, kSecond, 1, {}, 4);
  EXPECT_FALSE(expected.turn(kSecond)) << "that step is over";
}

TEST(Expectations, OfDecoderStepsComeBeforeThoseOfSourcesThatWait) {
  Expectations expected(10, seconds(2));
  const TimePoint start{};
  expect(expected, kOne, kFirst, 1, start);
  expect(expected, kOther, kSecond, 1, start + seconds(1), 3);
  EXPECT_LT(*expected.turn(kSecond), *expected.turn(kFirst));
  expected.expire(start + seconds(2));
  EXPECT_FALSE(expected.turn(kFirst)) << "each in its own time";
  EXPECT_TRUE(expected.turn(kSecond));
}

TEST(Expectations, EndForWhatCannotBeRead) {
  Expectations expected(10, seconds(2));
  expect(expected, kOne, kFirst, 1, {});
  expect(expected, kOther, kFirst, 1, {});
  expected.give_up(kFirst);
  expected.give_up(kThird);  // Nobody expected it.
  EXPECT_EQ(expected.size(), 0U);
}

TEST(Expectations, AreDroppedBeyondTheLimit) {
  Expectations expected(2, seconds(2));
  for (const ExpertKey key : {kFirst, kSecond, kThird}) expect(expected, kOne, key, 1, {});
  EXPECT_FALSE(expected.turn(kThird));
}

TEST(Expectations, OfWaitingSourcesGiveWayToADecodersStepBeyondTheLimit) {
  Expectations expected(2, seconds(2));
  expect(expected, kOne, kFirst, 1, {});
  expect(expected, kOne, kSecond, 1, {});
  expect(expected, kOther, kThird, 1, {}, 1);
  EXPECT_TRUE(expected.turn(kThird));
  EXPECT_TRUE(expected.turn(kFirst));
  EXPECT_FALSE(expected.turn(kSecond)) << "the one needed last";
  EXPECT_EQ(expected.size(), 2U);
}

}  // namespace
}  // namespace sida::worker

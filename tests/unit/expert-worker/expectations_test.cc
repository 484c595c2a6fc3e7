#include "expert-worker/residency/expectations.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

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

// However uses come and go, the next is the first in order of turns.
TEST(Expectations, NextIsInOrderOfTurnsWhateverEndedMeanwhile) {
  std::mt19937_64 random(1);
  const auto pick = [&](std::uint64_t below) { return random() % below; };
  Expectations expected(40, seconds(2));
  SlotTable slots(4);
  for (std::int32_t expert = 0; expert < 4; ++expert) slots.begin_load({LayerId{0}, ExpertId{expert}});
  TimePoint now{};
  for (int turn = 0; turn < 3000; ++turn) {
    now += std::chrono::milliseconds(pick(60));
    const ExpertKey key{LayerId{0}, ExpertId{static_cast<std::int32_t>(pick(12))}};
    const Adviser adviser{transport::PeerId{1}, SequenceId{pick(6)}};
    const auto step = static_cast<std::uint32_t>(pick(3));
    if (pick(4) > 0) expect(expected, adviser, key, 1, now, step);
    if (pick(4) == 0) {
      expected.demand(key, 1);
      expected.serve(key);
    }
    if (pick(10) == 0) expected.forget(adviser);
    if (pick(20) == 0) expected.give_up(key);
    expected.expire(now);
    std::map<std::uint64_t, ExpertKey> in_order;
    for (std::int32_t expert = 0; expert < 12; ++expert) {
      const ExpertKey each{LayerId{0}, ExpertId{expert}};
      if (const auto first = expected.turn(each)) in_order.emplace(*first, each);
    }
    std::optional<ExpertKey> next;
    for (std::size_t sooner = 0; const auto& [first, each] : in_order) {
      if (!next && sooner++ < slots.slots() && slots.state(each) == Residence::kAbsent) next = each;
    }
    ASSERT_EQ(expected.next(slots), next) << "turn " << turn;
  }
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

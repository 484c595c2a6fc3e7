#include "expert-worker/residency/expectations.h"

#include <gtest/gtest.h>

namespace sida::worker {
namespace {

using std::chrono::seconds;

constexpr ExpertKey kFirst{LayerId{0}, ExpertId{3}};
constexpr ExpertKey kSecond{LayerId{0}, ExpertId{1}};
constexpr ExpertKey kThird{LayerId{1}, ExpertId{1}};

TEST(Expectations, ComeInTheOrderInWhichTheyWereTold) {
  Expectations expected(10, seconds(2));
  expected.expect(kFirst, {});
  expected.expect(kSecond, {});
  expected.expect(kFirst, {});  // Keeps its place.
  EXPECT_LT(*expected.turn(kFirst), *expected.turn(kSecond));
  EXPECT_FALSE(expected.turn(kThird));
  EXPECT_EQ(expected.size(), 2U);
}

TEST(Expectations, NextIsTheFirstThatIsNotThere) {
  Expectations expected(10, seconds(2));
  SlotTable slots(2);
  EXPECT_FALSE(expected.next(slots));
  expected.expect(kFirst, {});
  expected.expect(kSecond, {});
  const auto loading = slots.begin_load(kFirst);
  EXPECT_EQ(expected.next(slots), kSecond);
  slots.end_load(*loading, false);
  EXPECT_EQ(expected.next(slots), kFirst);
}

TEST(Expectations, EndWhenMetAndAfterTheirTime) {
  Expectations expected(10, seconds(2));
  const TimePoint start{};
  expected.expect(kFirst, start);
  expected.expect(kSecond, start + seconds(1));
  expected.end(kFirst);
  expected.end(kThird);  // Nobody expected it.
  EXPECT_FALSE(expected.turn(kFirst));
  expected.expire(start + seconds(2));
  EXPECT_TRUE(expected.turn(kSecond));
  expected.expire(start + seconds(3));
  EXPECT_EQ(expected.size(), 0U);
}

TEST(Expectations, AreDroppedBeyondTheLimit) {
  Expectations expected(2, seconds(2));
  for (const ExpertKey key : {kFirst, kSecond, kThird}) expected.expect(key, {});
  EXPECT_FALSE(expected.turn(kThird));
}

}  // namespace
}  // namespace sida::worker

#include "router/scheduling/turns.h"

#include <gtest/gtest.h>

namespace sida::router {
namespace {

TimePoint at(int second) {
  return TimePoint{} + std::chrono::seconds(second);
}

TEST(Turns, OnesTurnComesWhenAsManyHaveGoneAsWereInFront) {
  Turns turns;
  const auto first = turns.arrived(at(1));
  const auto second = turns.arrived(at(2));
  const auto third = turns.arrived(at(3));
  EXPECT_EQ(turns.turn_of(first), at(1));
  EXPECT_EQ(turns.turn_of(second), TimePoint::max());
  turns.gone(at(4));  // Whoever it was.
  EXPECT_EQ(turns.turn_of(first), at(1));
  EXPECT_EQ(turns.turn_of(second), at(4));
  turns.gone(at(5));
  EXPECT_EQ(turns.turn_of(third), at(5));
}

TEST(Turns, WhoComesWhileNobodyWaitsHasItsTurnAtOnce) {
  Turns turns;
  turns.arrived(at(1));
  turns.gone(at(2));
  EXPECT_EQ(turns.turn_of(turns.arrived(at(9))), at(9));
}

TEST(Turns, ForgetsWhatNobodyAsksFor) {
  Turns turns;
  for (int i = 0; i < 4; ++i) turns.arrived(at(i));
  turns.gone(at(10));
  turns.gone(at(11));
  turns.forget_below(2);
  EXPECT_EQ(turns.turn_of(2), at(10));
  EXPECT_EQ(turns.turn_of(3), at(11));
  turns.forget_below(4);
  EXPECT_EQ(turns.turn_of(3), at(11));
  EXPECT_EQ(turns.turn_of(4), TimePoint::max());
}

}  // namespace
}  // namespace sida::router

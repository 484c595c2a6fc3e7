#include "router/core/name_resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "common/runtime/clock.h"
#include "common/runtime/waiter.h"

namespace sida::router {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::vector<Resolution> next(NameResolver& resolver) {
  const std::array descriptors{resolver.wake_descriptor()};
  wait_readable(descriptors, steady_now() + seconds(30));
  return resolver.take();
}

TEST(NameResolver, TellsWhatANameStandsForAgainAndAgain) {
  NameResolver resolver({"localhost"}, milliseconds(10));
  for (int round = 0; round < 2; ++round) {
    const auto answers = next(resolver);
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers[0].host, "localhost");
    EXPECT_THAT(answers[0].addresses, testing::Contains(testing::AnyOf("127.0.0.1", "[::1]")));
  }
}

TEST(NameResolver, EndsWithoutWaiting) {
  const TimePoint began = steady_now();
  { NameResolver resolver({"localhost"}, std::chrono::hours(1)); }
  EXPECT_LT(steady_now() - began, seconds(5));
}

TEST(NameResolver, DoesNothingWithoutNames) {
  NameResolver resolver({}, milliseconds(1));
  EXPECT_FALSE(is_readable(resolver.wake_descriptor()));
  EXPECT_TRUE(resolver.take().empty());
}

}  // namespace
}  // namespace sida::router

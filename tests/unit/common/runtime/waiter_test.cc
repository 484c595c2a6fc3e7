#include "common/runtime/waiter.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>

#include "common/runtime/wake_event.h"

namespace sida {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Waiter, ReturnsAtOnceWhenADescriptorIsReadable) {
  WakeEvent quiet;
  WakeEvent loud;
  loud.signal();
  const TimePoint start = steady_now();
  const std::array descriptors{quiet.descriptor(), loud.descriptor()};
  wait_readable(descriptors, start + seconds(30));
  EXPECT_LT(steady_now() - start, seconds(10));
}

TEST(Waiter, WaitsUntilTheGivenTimeAndNoShorter) {
  WakeEvent quiet;
  const std::array descriptors{quiet.descriptor()};
  const TimePoint until = steady_now() + milliseconds(20);
  wait_readable(descriptors, until);
  EXPECT_GE(steady_now(), until);
}

TEST(Waiter, DoesNotWaitForATimeThatHasPassed) {
  WakeEvent quiet;
  const std::array descriptors{quiet.descriptor()};
  const TimePoint start = steady_now();
  wait_readable(descriptors, start - seconds(30));
  EXPECT_LT(steady_now() - start, seconds(10));
}

TEST(Waiter, IsWokenFromAnotherThread) {
  WakeEvent event;
  const TimePoint start = steady_now();
  std::thread other([&] { event.signal(); });
  const std::array descriptors{event.descriptor()};
  wait_readable(descriptors, start + seconds(30));
  EXPECT_LT(steady_now() - start, seconds(20));
  other.join();
}

}  // namespace
}  // namespace sida

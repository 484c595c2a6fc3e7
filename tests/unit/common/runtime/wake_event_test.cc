#include "common/runtime/wake_event.h"

#include <gtest/gtest.h>

#include "common/runtime/waiter.h"

namespace sida {
namespace {

TEST(WakeEvent, IsReadableFromSignalToClear) {
  WakeEvent event;
  EXPECT_FALSE(is_readable(event.descriptor()));
  event.signal();
  EXPECT_TRUE(is_readable(event.descriptor()));
  event.clear();
  EXPECT_FALSE(is_readable(event.descriptor()));
}

TEST(WakeEvent, ClearsManySignalsAtOnce) {
  WakeEvent event;
  for (int i = 0; i < 1000; ++i) event.signal();
  event.clear();
  EXPECT_FALSE(is_readable(event.descriptor()));
}

TEST(WakeEvent, DoesNotBlockWhenClearedWithoutASignal) {
  WakeEvent event;
  event.clear();
  EXPECT_FALSE(is_readable(event.descriptor()));
}

}  // namespace
}  // namespace sida

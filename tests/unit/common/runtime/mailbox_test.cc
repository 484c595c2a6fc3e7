#include "common/runtime/mailbox.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <thread>
#include <vector>

#include "common/runtime/waiter.h"

namespace sida {
namespace {

TEST(Mailbox, HandsOverInOrder) {
  Mailbox<int> mailbox(3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(mailbox.post(i));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(mailbox.take(), i);
  EXPECT_EQ(mailbox.take(), std::nullopt);
}

TEST(Mailbox, RefusesBeyondItsCapacityUntilOneIsTaken) {
  Mailbox<int> mailbox(2);
  EXPECT_TRUE(mailbox.post(1));
  EXPECT_TRUE(mailbox.post(2));
  EXPECT_FALSE(mailbox.post(3));
  EXPECT_EQ(mailbox.take(), 1);
  EXPECT_TRUE(mailbox.post(4));
  EXPECT_EQ(mailbox.take(), 2);
  EXPECT_EQ(mailbox.take(), 4);
}

TEST(Mailbox, CarriesWhatCanOnlyBeMoved) {
  Mailbox<std::unique_ptr<int>> mailbox(1);
  EXPECT_TRUE(mailbox.post(std::make_unique<int>(7)));
  EXPECT_EQ(**mailbox.take(), 7);
}

TEST(Mailbox, IsReadableWhileItemsWait) {
  Mailbox<int> mailbox(2);
  EXPECT_FALSE(is_readable(mailbox.wake_descriptor()));
  EXPECT_TRUE(mailbox.post(1));
  EXPECT_TRUE(mailbox.post(2));
  EXPECT_EQ(mailbox.take(), 1);
  EXPECT_TRUE(is_readable(mailbox.wake_descriptor()));
  EXPECT_EQ(mailbox.take(), 2);
  EXPECT_EQ(mailbox.take(), std::nullopt);
  EXPECT_FALSE(is_readable(mailbox.wake_descriptor()));
}

// Four posters, one taker that sleeps on the descriptor whenever the mailbox is empty: each item arrives once, in the
// order of its poster, and no wake-up is lost.
TEST(Mailbox, LosesNothingBetweenThreads) {
  constexpr int kPosters = 4;
  constexpr int kItems = 20000;
  Mailbox<std::pair<int, int>> mailbox(64);
  std::vector<std::thread> posters;
  for (int poster = 0; poster < kPosters; ++poster) {
    posters.emplace_back([&, poster] {
      for (int item = 0; item < kItems; ++item) {
        while (!mailbox.post({poster, item})) std::this_thread::yield();
      }
    });
  }
  std::array<int, kPosters> next{};
  const TimePoint until = steady_now() + std::chrono::seconds(60);
  int taken = 0;
  while (taken < kPosters * kItems && steady_now() < until) {
    const auto item = mailbox.take();
    if (!item) {
      const int descriptor = mailbox.wake_descriptor();
      wait_readable({&descriptor, 1}, until);
      continue;
    }
    ASSERT_EQ(item->second, next[static_cast<std::size_t>(item->first)]++);
    ++taken;
  }
  EXPECT_EQ(taken, kPosters * kItems);
  for (auto& poster : posters) poster.join();
}

}  // namespace
}  // namespace sida

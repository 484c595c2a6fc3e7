#include "common/runtime/fork_join.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace sida {
namespace {

TEST(ForkJoin, CallsEveryIndexOnceAndReturnsWhenAllHaveEnded) {
  for (int threads : {1, 2, 3}) {
    ForkJoin fork_join(threads);
    for (int run = 0; run < 200; ++run) {
      std::vector<int> calls(17, 0);  // One index is one task's own: no atomics, so that a late task is a data race.
      fork_join.run(17, [&](std::int64_t index, int /*thread*/) { ++calls[static_cast<std::size_t>(index)]; });
      EXPECT_EQ(calls, std::vector<int>(17, 1));
    }
  }
}

TEST(ForkJoin, NoTwoTasksShareAThreadNumberAtATime) {
  ForkJoin fork_join(3);
  std::vector<int> counts(3, 0);  // Unprotected: ThreadSanitizer sees two tasks of one number at once.
  fork_join.run(300, [&](std::int64_t /*index*/, int thread) { ++counts[static_cast<std::size_t>(thread)]; });
  EXPECT_EQ(counts[0] + counts[1] + counts[2], 300);
}

TEST(ForkJoin, TasksRunAtTheSameTime) {
  ForkJoin fork_join(2);
  std::atomic<int> arrived{0};
  // Each task waits for the other one: one thread alone would never end.
  fork_join.run(2, [&](std::int64_t /*index*/, int /*thread*/) {
    arrived.fetch_add(1);
    arrived.notify_all();
    for (int seen = arrived.load(); seen < 2; seen = arrived.load()) arrived.wait(seen);
  });
  EXPECT_EQ(arrived.load(), 2);
}

TEST(ForkJoin, NothingToDoReturnsAtOnce) {
  ForkJoin fork_join(2);
  fork_join.run(0, [](std::int64_t, int) { FAIL(); });
}

}  // namespace
}  // namespace sida

#include "common/runtime/alive_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/support/temporary_directory.h"

namespace sida {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kStart = TimePoint{} + seconds(100);

TEST(AliveCore, TouchesOnceInAnInterval) {
  AliveCore core;
  EXPECT_TRUE(core.beat(0, false, kStart));
  EXPECT_FALSE(core.beat(0, false, kStart + milliseconds(999)));
  EXPECT_TRUE(core.beat(0, false, kStart + milliseconds(1000)));
}

TEST(AliveCore, StopsWhileAThreadWithWorkStandsStill) {
  AliveCore core;
  EXPECT_TRUE(core.beat(7, true, kStart));
  EXPECT_TRUE(core.beat(7, true, kStart + kStuckAfter - milliseconds(1)));
  EXPECT_FALSE(core.beat(7, true, kStart + kStuckAfter));
  EXPECT_FALSE(core.beat(7, true, kStart + kStuckAfter * 10));
  // It moves again.
  EXPECT_TRUE(core.beat(8, true, kStart + kStuckAfter * 11));
}

TEST(AliveCore, NeverCallsAnIdleThreadStuck) {
  AliveCore core;
  EXPECT_TRUE(core.beat(7, false, kStart));
  EXPECT_TRUE(core.beat(7, false, kStart + kStuckAfter * 10));
  // Time without work does not count once there is some.
  EXPECT_TRUE(core.beat(7, true, kStart + kStuckAfter * 10 + seconds(1)));
}

TEST(AliveFile, MakesTheFileAndSetsItsTime) {
  const test::TemporaryDirectory folder;
  const auto path = folder.path() / "alive";
  AliveFile file(path.string());
  file.beat(0, false, kStart);
  ASSERT_TRUE(std::filesystem::exists(path));
  std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  file.beat(0, false, kStart + kAliveInterval);
  EXPECT_GT(std::filesystem::last_write_time(path),
            std::filesystem::file_time_type::clock::now() - std::chrono::minutes(1));
}

TEST(AliveFile, GoesOnWhereTheFileCannotBeWritten) {
  AliveFile file("/nowhere/at/all");
  file.beat(0, false, kStart);
  AliveFile none;
  none.beat(0, false, kStart);
}

}  // namespace
}  // namespace sida

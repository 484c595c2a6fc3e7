#include "cli/ready_core.h"

#include <gtest/gtest.h>

namespace sida::cli {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

class ReadyCoreTest : public testing::Test {
 protected:
  bool look(bool all_ready, double loaded_share, Duration later = milliseconds(100)) {
    now_ += later;
    return core_.is_ready({.served = true, .all_ready = all_ready, .loaded_share = loaded_share}, now_);
  }
  ReadyCore core_;
  TimePoint now_ = TimePoint{} + seconds(100);
};

TEST_F(ReadyCoreTest, IsReadyAtOnceWhenAllAreUpAndLoaded) {
  EXPECT_TRUE(look(true, 1));
}

TEST_F(ReadyCoreTest, IsNotReadyBeforeItServes) {
  EXPECT_FALSE(core_.is_ready({.served = false, .all_ready = true, .loaded_share = 1}, now_));
}

TEST_F(ReadyCoreTest, WaitsWhileExpertsAreLoaded) {
  for (double share = 0; share < 1; share += 0.1) EXPECT_FALSE(look(true, share, milliseconds(500)));
  EXPECT_TRUE(look(true, 1));
}

TEST_F(ReadyCoreTest, IsReadyWhenLoadingMakesNoMoreHeadway) {
  EXPECT_FALSE(look(true, 0.4));
  EXPECT_FALSE(look(true, 0.4, ReadyCore::kLoadingStalls - milliseconds(1)));
  EXPECT_TRUE(look(true, 0.4, milliseconds(1)));
}

TEST_F(ReadyCoreTest, WaitsForStragglersOnlySoLong) {
  EXPECT_FALSE(look(false, 1));
  EXPECT_FALSE(look(false, 1, ReadyCore::kForStragglers - milliseconds(1)));
  EXPECT_TRUE(look(false, 1, milliseconds(1)));
}

TEST(ClusterSight, TellsWhyItDoesNotServe) {
  const auto sight = sight_of(false, {{"reason", "no worker yet"}, {"loaded_percent", 0}}, nullptr);
  EXPECT_FALSE(sight.served);
  EXPECT_EQ(sight.progress, "no worker yet");
}

TEST(ClusterSight, TellsHowMuchIsResident) {
  const json status{{"processes", {{{"state", "ready"}}, {{"state", "connecting"}}}},
                    {"loading", {{"share", 0.537}, {"fitting_bytes", 3U << 30U}}}};
  const auto sight = sight_of(true, json::object(), status);
  EXPECT_FALSE(sight.all_ready);
  EXPECT_EQ(sight.progress, "53 % of 3.0 GiB of experts are resident");
}

TEST(ClusterSight, OfAnythingElseIsNothing) {
  for (const json& answer : {json(), json(3), json::array(), json{{"processes", 3}, {"loading", "x"}}}) {
    const auto sight = sight_of(true, answer, answer);
    EXPECT_FALSE(sight.all_ready);
    EXPECT_EQ(sight.loaded_share, 0);
    EXPECT_EQ(sight.progress, "");
  }
}

}  // namespace
}  // namespace sida::cli

#include "cli/supervisor_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sida::cli {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class SupervisorCoreTest : public ::testing::Test {
 protected:
  std::vector<SupervisorAction> die(std::size_t process, ProcessEnd end = {1, 0}) {
    return core_.process_ended(process, end, now_);
  }
  std::vector<SupervisorAction> tick_after(std::chrono::milliseconds time) {
    now_ += time;
    return core_.tick(now_);
  }

  TimePoint now_ = TimePoint() + 1h;
  SupervisorCore core_{2, RestartPolicy{}};
};

TEST_F(SupervisorCoreTest, StartsAllAtOnce) {
  EXPECT_THAT(core_.start(now_), ElementsAre(StartProcess{0}, StartProcess{1}));
  EXPECT_FALSE(core_.finished());
}

TEST_F(SupervisorCoreTest, StartsADeadProcessAgainAfterADelay) {
  core_.start(now_);
  EXPECT_THAT(die(1, {-1, 9}), IsEmpty());
  EXPECT_EQ(core_.next_wake(), now_ + 200ms);
  EXPECT_THAT(tick_after(199ms), IsEmpty());
  EXPECT_THAT(tick_after(1ms), ElementsAre(StartProcess{1}));
}

TEST_F(SupervisorCoreTest, WaitsTwiceAsLongAfterEachDeathInARow) {
  core_.start(now_);
  for (const auto delay : {200ms, 400ms, 800ms, 1600ms}) {
    die(0);
    EXPECT_EQ(core_.next_wake(), now_ + delay);
    tick_after(delay);
  }
}

TEST_F(SupervisorCoreTest, ALongLifeForgivesEarlierDeaths) {
  core_.start(now_);
  die(0);
  tick_after(200ms);
  now_ += 10s;
  die(0);
  EXPECT_EQ(core_.next_wake(), now_ + 200ms);
}

TEST_F(SupervisorCoreTest, GivesUpAfterTooManyDeathsInARow) {
  core_.start(now_);
  for (int death = 0; death < 5; ++death) {
    die(0);
    tick_after(10s);
  }
  // Ten seconds of waiting are no ten seconds of life: restarts were immediate.
  EXPECT_THAT(die(0), ElementsAre(AskToEnd{1}));
  EXPECT_EQ(core_.exit_code(), 1);
  EXPECT_EQ(core_.culprit(), 0U);
}

TEST_F(SupervisorCoreTest, AnInvalidModelEndsAllWithItsExitCode) {
  core_.start(now_);
  EXPECT_THAT(die(1, {3, 0}), ElementsAre(AskToEnd{0}));
  EXPECT_EQ(core_.exit_code(), 3);
  EXPECT_FALSE(core_.finished());
  die(0, {0, 0});
  EXPECT_TRUE(core_.finished());
}

TEST_F(SupervisorCoreTest, AProgramThatCannotBeStartedEndsAll) {
  core_.start(now_);
  EXPECT_THAT(die(0, {1, 0, true}), ElementsAre(AskToEnd{1}));
  EXPECT_EQ(core_.exit_code(), 1);
}

TEST_F(SupervisorCoreTest, StopAsksEveryProcessOnceAndStartsNoneAgain) {
  core_.start(now_);
  die(1);
  EXPECT_THAT(core_.stop(now_), ElementsAre(AskToEnd{0}));
  EXPECT_THAT(core_.stop(now_), IsEmpty());
  die(0, {0, 0});
  EXPECT_TRUE(core_.finished());
  EXPECT_THAT(tick_after(1min), IsEmpty());
  EXPECT_EQ(core_.exit_code(), 0);
}

TEST_F(SupervisorCoreTest, KillsWhatDoesNotEndInTime) {
  core_.start(now_);
  core_.stop(now_);
  die(0, {0, 0});
  EXPECT_THAT(tick_after(4999ms), IsEmpty());
  EXPECT_THAT(tick_after(1ms), ElementsAre(KillProcess{1}));
  EXPECT_EQ(core_.next_wake(), std::nullopt);
}

}  // namespace
}  // namespace sida::cli

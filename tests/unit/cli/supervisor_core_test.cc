#include "cli/supervisor_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sida::cli {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class SupervisorCoreTest : public ::testing::Test {
 protected:
  std::vector<SupervisorAction> die(std::size_t process, ProcessEnd end = {1, 0}) {
    return core_.process_ended(process, end, now_);
  }
  std::vector<SupervisorAction> tick_after(std::chrono::milliseconds time) {
    now_ += time;
    return core_.tick(now_);
  }

  // Of a process that dies at once whenever it is started: until after its sixth death.
  std::vector<SupervisorAction> die_six_times(std::size_t process, ProcessEnd end = {1, 0}) {
    for (int death = 0; death < 5; ++death) {
      die(process, end);
      tick_after(10s);
    }
    return die(process, end);
  }

  static constexpr std::size_t kRouter = 2;
  static constexpr std::size_t kPredictor = 3;
  TimePoint now_ = TimePoint() + 1h;
  SupervisorCore core_{{ProcessRole::kWorker, ProcessRole::kWorker, ProcessRole::kRouter, ProcessRole::kPredictor},
                       RestartPolicy{}};
};

TEST_F(SupervisorCoreTest, StartsAllAtOnce) {
  EXPECT_THAT(core_.start(now_), ElementsAre(StartProcess{0}, StartProcess{1}, StartProcess{2}, StartProcess{3}));
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

TEST_F(SupervisorCoreTest, AWorkerThatKeepsDyingFailsAloneAndIsTriedAgain) {
  core_.start(now_);
  // Ten seconds of waiting are no ten seconds of life: restarts were immediate.
  EXPECT_THAT(die_six_times(0), ElementsAre(TellFailed{0}));
  EXPECT_THAT(tick_after(9s), IsEmpty());
  EXPECT_THAT(tick_after(1s), ElementsAre(StartProcess{0}));
  EXPECT_THAT(die(0), ElementsAre(TellFailed{0}));
  EXPECT_EQ(core_.culprit(), std::nullopt);
}

TEST_F(SupervisorCoreTest, APredictorThatKeepsDyingFailsAlone) {
  core_.start(now_);
  EXPECT_THAT(die_six_times(kPredictor), ElementsAre(TellFailed{kPredictor}));
}

TEST_F(SupervisorCoreTest, ARouterThatKeepsDyingEndsAll) {
  core_.start(now_);
  core_.served();
  EXPECT_THAT(die_six_times(kRouter), UnorderedElementsAre(AskToEnd{0}, AskToEnd{1}, AskToEnd{kPredictor}));
  EXPECT_EQ(core_.exit_code(), 1);
  EXPECT_EQ(core_.culprit(), kRouter);
}

TEST_F(SupervisorCoreTest, TheLastWorkerThatFailsEndsAll) {
  core_.start(now_);
  core_.served();
  for (int death = 0; death < 5; ++death) {
    die(0);
    die(1);
    tick_after(10s);
  }
  EXPECT_THAT(die(0), ElementsAre(TellFailed{0}));
  die(1);
  EXPECT_EQ(core_.culprit(), 1U);
  EXPECT_EQ(core_.exit_code(), 1);
}

TEST_F(SupervisorCoreTest, AWorkerThatCameBackForGoodCountsAgain) {
  core_.start(now_);
  die_six_times(0);
  tick_after(10s);
  now_ += 10s;
  EXPECT_THAT(die_six_times(1), ElementsAre(TellFailed{1}));
  EXPECT_EQ(core_.culprit(), std::nullopt);
}

TEST_F(SupervisorCoreTest, BeforeItServesAnInvalidModelEndsAllWithItsExitCode) {
  core_.start(now_);
  die(1, {3, 0});
  EXPECT_EQ(core_.culprit(), 1U);
  EXPECT_EQ(core_.exit_code(), 3);
  EXPECT_FALSE(core_.finished());
  for (const std::size_t process : {0, 2, 3}) {
    die(process, {0, 0});
  }
  EXPECT_TRUE(core_.finished());
}

TEST_F(SupervisorCoreTest, OnceItServesAnInvalidModelFailsOneWorkerAlone) {
  core_.start(now_);
  core_.served();
  EXPECT_THAT(die(1, {3, 0}), ElementsAre(TellFailed{1}));
  EXPECT_EQ(core_.next_wake(), now_ + 10s);
  die(0, {3, 0});
  EXPECT_EQ(core_.culprit(), 0U);
  EXPECT_EQ(core_.exit_code(), 3);
}

TEST_F(SupervisorCoreTest, ARouterThatSaysWhyItCannotStartEndsAllAtOnce) {
  core_.start(now_);
  die(kRouter, {.exit_code = 1, .told_why = true});
  EXPECT_EQ(core_.culprit(), kRouter);
}

TEST_F(SupervisorCoreTest, OnceItServedARouterIsStartedAgainWhateverItSays) {
  core_.start(now_);
  core_.served();
  EXPECT_THAT(die(kRouter, {.exit_code = 1, .told_why = true}), IsEmpty());
}

TEST_F(SupervisorCoreTest, AProgramThatCannotBeStartedEndsAll) {
  core_.start(now_);
  die(0, {1, 0, true});
  EXPECT_EQ(core_.culprit(), 0U);
  EXPECT_EQ(core_.exit_code(), 1);
}

class TwoWorkers : public SupervisorCoreTest {
 protected:
  TwoWorkers() { core_ = SupervisorCore({ProcessRole::kWorker, ProcessRole::kWorker}, RestartPolicy{}); }
};

TEST_F(SupervisorCoreTest, StopEndsTheRouterBeforeThoseThatItNeeds) {
  core_.start(now_);
  EXPECT_THAT(core_.stop(now_), ElementsAre(AskToEnd{kRouter}));
  EXPECT_THAT(tick_after(14'999ms), IsEmpty());
  EXPECT_THAT(die(kRouter, {0, 0}), ElementsAre(AskToEnd{0}, AskToEnd{1}, AskToEnd{kPredictor}));
  EXPECT_THAT(die(0, {0, 0}), IsEmpty());
}

TEST_F(SupervisorCoreTest, KillsARouterThatOutlastsItsGraceAndGoesOn) {
  core_.start(now_);
  core_.stop(now_);
  EXPECT_THAT(tick_after(15s), ElementsAre(KillProcess{kRouter}));
  EXPECT_THAT(die(kRouter, {-1, 9}), ElementsAre(AskToEnd{0}, AskToEnd{1}, AskToEnd{kPredictor}));
}

TEST_F(SupervisorCoreTest, TheSecondStopKills) {
  core_.start(now_);
  die(1);
  core_.stop(now_);
  EXPECT_THAT(core_.stop(now_), ElementsAre(KillProcess{0}, KillProcess{kRouter}, KillProcess{kPredictor}));
  for (const std::size_t process : {0, 2, 3}) {
    EXPECT_THAT(die(process, {-1, 9}), IsEmpty());
  }
  EXPECT_TRUE(core_.finished());
  EXPECT_EQ(core_.exit_code(), 0);
}

TEST_F(TwoWorkers, StopAsksEveryProcessOnceAndStartsNoneAgain) {
  core_.start(now_);
  die(1);
  EXPECT_THAT(core_.stop(now_), ElementsAre(AskToEnd{0}));
  die(0, {0, 0});
  EXPECT_TRUE(core_.finished());
  EXPECT_THAT(tick_after(1min), IsEmpty());
  EXPECT_EQ(core_.exit_code(), 0);
}

TEST_F(TwoWorkers, KillsWhatDoesNotEndInTime) {
  core_.start(now_);
  core_.stop(now_);
  die(0, {0, 0});
  EXPECT_THAT(tick_after(4999ms), IsEmpty());
  EXPECT_THAT(tick_after(1ms), ElementsAre(KillProcess{1}));
  EXPECT_EQ(core_.next_wake(), std::nullopt);
}

}  // namespace
}  // namespace sida::cli

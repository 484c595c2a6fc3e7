#include "expert-worker/residency/prefetch_admission.h"

#include <gtest/gtest.h>

namespace sida::worker {
namespace {

void times(int count, const auto& what) {
  for (int i = 0; i < count; ++i) what();
}

TEST(PrefetchAdmission, StaysOnWhileWhatIsReadAheadIsWanted) {
  PrefetchAdmission admission(PrefetchMode::kAuto);
  times(200, [&] {
    admission.begun();
    admission.useful();
    admission.demanded(false);
  });
  EXPECT_TRUE(admission.on());
  EXPECT_TRUE(admission.admits());
  EXPECT_NEAR(admission.gain(), 0.5, 0.01) << "half of the reads is waited for";
}

TEST(PrefetchAdmission, IsSwitchedOffWhenNobodyWantsWhatIsReadAhead) {
  PrefetchAdmission admission(PrefetchMode::kAuto);
  times(32, [&] { admission.wasted(); });
  EXPECT_FALSE(admission.on());
  EXPECT_FALSE(admission.admits());
  EXPECT_EQ(admission.switches(), 1U);
}

TEST(PrefetchAdmission, IsSwitchedOffWhenNothingComesInTime) {
  PrefetchAdmission admission(PrefetchMode::kAuto);
  times(100, [&] {
    admission.late(0.01);
    admission.demanded(false);
  });
  EXPECT_FALSE(admission.on());
}

TEST(PrefetchAdmission, IsSwitchedOffWhenItEvictsWhatIsWantedMore) {
  PrefetchAdmission admission(PrefetchMode::kAuto);
  times(100, [&] {
    admission.useful();
    admission.demanded(true);
  });
  EXPECT_FALSE(admission.on());
}

TEST(PrefetchAdmission, IsSwitchedOffWhenTheDiskHasNoRoomForIt) {
  PrefetchAdmission admission(PrefetchMode::kAuto);
  times(32, [&] { times(7, [&] { admission.demanded(false); }), admission.late(0.05); });
  EXPECT_FALSE(admission.on());
}

TEST(PrefetchAdmission, IsNotJudgedByAFew) {
  PrefetchAdmission admission(PrefetchMode::kAuto);
  times(31, [&] { admission.wasted(); });
  EXPECT_TRUE(admission.admits());
}

TEST(PrefetchAdmission, IsTriedAgainAndSwitchedOnWhenItPays) {
  PrefetchAdmission admission(PrefetchMode::kAuto);
  times(32, [&] { admission.wasted(); });
  times(511, [&] { admission.demanded(false); });
  EXPECT_FALSE(admission.admits());
  admission.demanded(false);
  EXPECT_TRUE(admission.admits());
  EXPECT_FALSE(admission.on()) << "it is only tried";
  times(32, [&] { admission.begun(); });
  EXPECT_FALSE(admission.admits()) << "a trial is so many reads";
  times(32, [&] { admission.useful(); });
  EXPECT_TRUE(admission.on());
  EXPECT_EQ(admission.switches(), 2U);
}

TEST(PrefetchAdmission, ATrialEndsHoweverManyReadsOnDemandComeBetween) {
  PrefetchAdmission admission(PrefetchMode::kAuto);
  times(32, [&] { admission.wasted(); });
  times(512, [&] { admission.demanded(false); });
  times(32, [&] {
    EXPECT_TRUE(admission.admits());
    admission.begun();
    admission.useful();
    times(10, [&] { admission.demanded(false); });
  });
  EXPECT_TRUE(admission.on());
}

TEST(PrefetchAdmission, IsTriedLessOftenAfterEachFailure) {
  PrefetchAdmission admission(PrefetchMode::kAuto);
  times(32, [&] { admission.wasted(); });
  times(512, [&] { admission.demanded(false); });
  times(32, [&] { admission.wasted(); });
  EXPECT_FALSE(admission.admits());
  times(1023, [&] { admission.demanded(false); });
  EXPECT_FALSE(admission.admits());
  admission.demanded(false);
  EXPECT_TRUE(admission.admits());
  EXPECT_EQ(admission.switches(), 1U) << "a trial that fails switches nothing";
}

TEST(PrefetchAdmission, ObeysOnAndOff) {
  PrefetchAdmission on(PrefetchMode::kOn);
  PrefetchAdmission off(PrefetchMode::kOff);
  times(100, [&] { on.wasted(); });
  EXPECT_TRUE(on.admits() && on.on());
  EXPECT_FALSE(off.admits() || off.on());
}

}  // namespace
}  // namespace sida::worker

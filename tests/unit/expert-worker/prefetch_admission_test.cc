#include "expert-worker/residency/prefetch_admission.h"

#include <gtest/gtest.h>

#include "common/base/result.h"

namespace sida::worker {
namespace {

void times(int count, const auto& what) {
  for (int i = 0; i < count; ++i) what();
}

constexpr PrefetchAdmission::Demanded kOnDemand{};

// One that measured that it pays.
PrefetchAdmission switched_on() {
  PrefetchAdmission admission(PrefetchMode::kAuto);
  times(32, [&] { admission.imagined(1); });
  SIDA_CHECK(admission.on());
  return admission;
}

TEST(PrefetchAdmission, BeginsOffAndImagines) {
  const PrefetchAdmission admission(PrefetchMode::kAuto);
  EXPECT_FALSE(admission.on());
  EXPECT_TRUE(admission.imagines());
}

TEST(PrefetchAdmission, IsSwitchedOnWhenWhatIsImaginedPays) {
  PrefetchAdmission admission(PrefetchMode::kAuto);
  times(31, [&] { admission.imagined(0.5), admission.demanded(kOnDemand); });
  EXPECT_FALSE(admission.on()) << "not by a few";
  admission.imagined(0.5);
  EXPECT_TRUE(admission.on());
  EXPECT_FALSE(admission.imagines());
  EXPECT_EQ(admission.switches(), 1U);
}

TEST(PrefetchAdmission, StaysOffWhereTheDiskHasNoRoomForIt) {
  PrefetchAdmission admission(PrefetchMode::kAuto);
  times(32, [&] { times(7, [&] { admission.demanded(kOnDemand); }), admission.imagined(0.05); });
  EXPECT_FALSE(admission.on());
  EXPECT_EQ(admission.switches(), 0U);
}

TEST(PrefetchAdmission, StaysOffWhereWhatIsImaginedWouldBeInVain) {
  PrefetchAdmission admission(PrefetchMode::kAuto);
  times(32, [&] { admission.imagined_in_vain(); });
  EXPECT_FALSE(admission.on());
}

TEST(PrefetchAdmission, StaysOnWhileWhatIsReadAheadIsWanted) {
  PrefetchAdmission admission = switched_on();
  times(200, [&] { admission.useful(), admission.demanded(kOnDemand); });
  EXPECT_TRUE(admission.on());
  EXPECT_NEAR(admission.gain(), 0.5, 0.01) << "half of the reads is waited for";
}

TEST(PrefetchAdmission, IsSwitchedOffWhenNobodyWantsWhatIsReadAhead) {
  PrefetchAdmission admission = switched_on();
  times(95, [&] { admission.wasted(); });
  EXPECT_TRUE(admission.on()) << "not by a few";
  admission.wasted();
  EXPECT_FALSE(admission.on());
  EXPECT_EQ(admission.switches(), 2U);
}

TEST(PrefetchAdmission, IsSwitchedOffWhenNothingComesInTime) {
  PrefetchAdmission admission = switched_on();
  times(100, [&] { admission.late(0.01), admission.demanded(kOnDemand); });
  EXPECT_FALSE(admission.on());
}

TEST(PrefetchAdmission, IsSwitchedOffWhenItEvictsWhatIsWantedMore) {
  PrefetchAdmission admission = switched_on();
  times(100, [&] { admission.useful(), admission.demanded({.displaced = true}); });
  EXPECT_FALSE(admission.on());
}

TEST(PrefetchAdmission, IsSwitchedOffWhenDemandsLetByMoreThanIsSaved) {
  PrefetchAdmission admission = switched_on();
  times(100, [&] { admission.late(0.2), admission.demanded({.behind = 0.25}); });
  EXPECT_FALSE(admission.on());
}

TEST(PrefetchAdmission, ImaginesAgainAfterAWhileAndLessOftenAfterEachVerdictAgainstIt) {
  PrefetchAdmission admission(PrefetchMode::kAuto);
  for (const int wait : {512, 1024, 2048}) {
    times(32, [&] { admission.imagined_in_vain(); });
    times(wait - 1, [&] { admission.demanded(kOnDemand); });
    EXPECT_FALSE(admission.imagines());
    admission.demanded(kOnDemand);
    EXPECT_TRUE(admission.imagines());
  }
}

TEST(PrefetchAdmission, ObeysOnAndOff) {
  PrefetchAdmission on(PrefetchMode::kOn);
  PrefetchAdmission off(PrefetchMode::kOff);
  times(100, [&] { on.wasted(), off.imagined(1); });
  EXPECT_TRUE(on.on());
  EXPECT_FALSE(off.on());
  EXPECT_FALSE(on.imagines() || off.imagines());
}

}  // namespace
}  // namespace sida::worker

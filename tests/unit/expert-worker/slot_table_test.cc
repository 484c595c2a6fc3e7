#include "expert-worker/residency/slot_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sida::worker {
namespace {

using testing::ElementsAre;

constexpr ExpertKey kA{LayerId{0}, ExpertId{1}};
constexpr ExpertKey kB{LayerId{0}, ExpertId{2}};
constexpr ExpertKey kC{LayerId{1}, ExpertId{0}};

bool anything(ExpertKey /*key*/) {
  return true;
}

void load(SlotTable& table, ExpertKey key) {
  const auto slot = table.begin_load(key, anything);
  ASSERT_TRUE(slot);
  table.end_load(*slot, true);
}

TEST(SlotTable, HoldsWhatWasLoaded) {
  SlotTable table(2);
  EXPECT_EQ(table.state(kA), Residence::kAbsent);
  const auto slot = table.begin_load(kA, anything);
  ASSERT_TRUE(slot);
  EXPECT_EQ(table.state(kA), Residence::kLoading);
  EXPECT_FALSE(table.pin(kA));
  table.end_load(*slot, true);
  EXPECT_EQ(table.state(kA), Residence::kResident);
  EXPECT_EQ(table.pin(kA), slot);
}

TEST(SlotTable, FreesTheSlotOfAFailedLoad) {
  SlotTable table(1);
  const auto slot = table.begin_load(kA, anything);
  ASSERT_TRUE(slot);
  table.end_load(*slot, false);
  EXPECT_EQ(table.state(kA), Residence::kAbsent);
  EXPECT_EQ(table.used(), 0U);
  EXPECT_TRUE(table.begin_load(kB, anything));
}

TEST(SlotTable, EvictsTheLeastRecentlyUsed) {
  SlotTable table(2);
  load(table, kA);
  load(table, kB);
  table.unpin(*table.pin(kA));
  load(table, kC);
  EXPECT_THAT(table.resident(), ElementsAre(kA, kC));
  EXPECT_EQ(table.evictions(), 1U);
}

TEST(SlotTable, NeverEvictsWhatIsPinned) {
  SlotTable table(1);
  load(table, kA);
  const auto first = table.pin(kA);
  const auto second = table.pin(kA);
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(table.begin_load(kB, anything));
  table.unpin(*first);
  EXPECT_FALSE(table.begin_load(kB, anything));
  table.unpin(*second);
  EXPECT_TRUE(table.begin_load(kB, anything));
}

TEST(SlotTable, NeverEvictsWhatIsLoading) {
  SlotTable table(1);
  ASSERT_TRUE(table.begin_load(kA, anything));
  EXPECT_FALSE(table.begin_load(kB, anything));
}

TEST(SlotTable, EvictsOnlyWhatItMay) {
  SlotTable table(2);
  load(table, kA);
  load(table, kB);
  ASSERT_TRUE(table.begin_load(kC, [](ExpertKey key) { return key != kA; }));
  EXPECT_THAT(table.resident(), ElementsAre(kA));
  EXPECT_FALSE(table.begin_load(kB, [](ExpertKey key) { return key != kA; }));
}

}  // namespace
}  // namespace sida::worker

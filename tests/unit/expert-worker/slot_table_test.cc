#include "expert-worker/residency/slot_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sida::worker {
namespace {

using testing::ElementsAre;

constexpr ExpertKey kA{LayerId{0}, ExpertId{1}};
constexpr ExpertKey kB{LayerId{0}, ExpertId{2}};
constexpr ExpertKey kC{LayerId{1}, ExpertId{0}};

void load(SlotTable& table, ExpertKey key) {
  const auto slot = table.begin_load(key);
  ASSERT_TRUE(slot);
  table.end_load(*slot, true);
}

std::vector<ExpertKey> evictable(const SlotTable& table) {
  std::vector<ExpertKey> keys;
  for (const Evictable& held : table.evictable()) keys.push_back(held.key);
  return keys;
}

TEST(SlotTable, HoldsWhatWasLoaded) {
  SlotTable table(2);
  EXPECT_EQ(table.state(kA), Residence::kAbsent);
  const auto slot = table.begin_load(kA);
  ASSERT_TRUE(slot);
  EXPECT_EQ(table.state(kA), Residence::kLoading);
  EXPECT_FALSE(table.pin(kA));
  table.end_load(*slot, true);
  EXPECT_EQ(table.state(kA), Residence::kResident);
  EXPECT_EQ(table.pin(kA), slot);
}

TEST(SlotTable, FreesTheSlotOfAFailedLoad) {
  SlotTable table(1);
  const auto slot = table.begin_load(kA);
  ASSERT_TRUE(slot);
  table.end_load(*slot, false);
  EXPECT_EQ(table.state(kA), Residence::kAbsent);
  EXPECT_EQ(table.used(), 0U);
  EXPECT_TRUE(table.begin_load(kB));
}

TEST(SlotTable, ReusesTheSlotOfWhatItEvicts) {
  SlotTable table(2);
  load(table, kA);
  load(table, kB);
  EXPECT_FALSE(table.begin_load(kC)) << "no slot is free";
  table.end_load(table.begin_load_over(kB, kC), true);
  EXPECT_THAT(table.resident(), ElementsAre(kA, kC));
  EXPECT_EQ(table.evictions(), 1U);
}

TEST(SlotTable, OffersForEvictionWhatIsNeitherPinnedNorLoading) {
  SlotTable table(3);
  load(table, kA);
  load(table, kB);
  ASSERT_TRUE(table.begin_load(kC));
  const auto first = table.pin(kA);
  const auto second = table.pin(kA);
  ASSERT_TRUE(first && second);
  EXPECT_THAT(evictable(table), ElementsAre(kB));
  table.unpin(*first);
  EXPECT_THAT(evictable(table), ElementsAre(kB));
  table.unpin(*second);
  EXPECT_THAT(evictable(table), ElementsAre(kA, kB));
}

TEST(SlotTable, TellsWhenAnExpertCameAndWhenItWasUsed) {
  SlotTable table(2);
  load(table, kA);
  load(table, kB);
  table.unpin(*table.pin(kA));
  const auto held = table.evictable();
  ASSERT_EQ(held.size(), 2U);
  EXPECT_LT(held[0].loaded, held[1].loaded);
  EXPECT_GT(held[0].used, held[1].used);
}

TEST(SlotTable, CountsSlotsByLayer) {
  SlotTable table(3);
  load(table, kA);
  load(table, kB);
  const auto loading = table.begin_load(kC);
  EXPECT_THAT(table.by_layer(), ElementsAre(2, 1));
  table.end_load(*loading, false);
  EXPECT_THAT(table.by_layer(), ElementsAre(2, 0));
}

}  // namespace
}  // namespace sida::worker

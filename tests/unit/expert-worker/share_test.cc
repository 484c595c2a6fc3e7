#include "expert-worker/residency/share.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace sida::worker {
namespace {

constexpr std::int32_t kLayers = 2;
constexpr std::int32_t kExperts = 8;

proto::Member member(std::uint64_t id, std::uint32_t slots) {
  proto::Member result;
  result.worker = WorkerId{id};
  result.name = "worker-" + std::to_string(id);
  result.capacity.slots = slots;
  return result;
}

ExpertKey key(int layer, int expert) {
  return {LayerId{layer}, ExpertId{expert}};
}

void load(SlotTable& slots, ExpertKey what) {
  slots.end_load(*slots.begin_load(what), true);
}

std::vector<ExpertKey> everything_wanted(Share& share) {
  SlotTable slots(16);
  std::vector<ExpertKey> keys;
  for (auto key = share.next_own(slots); key; key = share.next_own(slots)) {
    keys.push_back(*key);
    load(slots, *key);
  }
  return keys;
}

TEST(Share, IsEverythingForAWorkerAlone) {
  Share share(kLayers, kExperts);
  share.replace_members(std::vector{member(1, 16)}, WorkerId{1}, 16);
  EXPECT_EQ(everything_wanted(share).size(), 16U);
}

TEST(Share, DividesTheModelAmongWorkersWithoutOverlap) {
  const std::vector members{member(1, 16), member(2, 16)};
  Share first(kLayers, kExperts);
  Share second(kLayers, kExperts);
  first.replace_members(members, WorkerId{1}, 16);
  second.replace_members(members, WorkerId{2}, 16);
  std::multiset<ExpertKey> both;
  for (ExpertKey k : everything_wanted(first)) both.insert(k);
  for (ExpertKey k : everything_wanted(second)) both.insert(k);
  EXPECT_EQ(both.size(), 16U);
  EXPECT_EQ(std::set<ExpertKey>(both.begin(), both.end()).size(), 16U);
}

TEST(Share, StopsAtTheSlotsAndTakesTheMostWanted) {
  Share share(kLayers, kExperts);
  share.wanted(key(1, 5), 10);
  share.wanted(key(0, 3), 20);
  share.replace_members(std::vector{member(1, 2)}, WorkerId{1}, 2);
  EXPECT_THAT(everything_wanted(share), testing::ElementsAre(key(0, 3), key(1, 5)));
  EXPECT_FALSE(share.fits());
  EXPECT_TRUE(share.owns(key(0, 0))) << "it is a cache of all that it owns";
}

TEST(Share, WantsAnExpertAgainThatWasEvicted) {
  Share share(kLayers, kExperts);
  share.replace_members(std::vector{member(1, 16)}, WorkerId{1}, 16);
  EXPECT_EQ(everything_wanted(share).size(), 16U);
  const SlotTable empty(16);
  EXPECT_FALSE(share.next_own(empty)) << "nobody said that anything is gone";
  share.evicted();
  EXPECT_EQ(share.next_own(empty), key(0, 0));
}

TEST(Share, DoesNotWantWhatCannotBeReadUntilTheMembersChange) {
  Share share(kLayers, kExperts);
  share.replace_members(std::vector{member(1, 16)}, WorkerId{1}, 16);
  share.unreadable(key(0, 0));
  EXPECT_EQ(share.next_own(SlotTable(16)), key(0, 1));
  share.replace_members(std::vector{member(1, 16)}, WorkerId{1}, 16);
  EXPECT_EQ(share.next_own(SlotTable(16)), key(0, 0));
}

}  // namespace
}  // namespace sida::worker

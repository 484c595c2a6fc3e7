// The policies by themselves: a slot table under a sequence of demands, one at a time, all of it known or nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "expert-worker/residency/slot_table.h"
#include "tests/support/sim/seeds.h"
#include "tests/support/sim/sim_random.h"

namespace sida::worker {
namespace {

using Demands = std::vector<ExpertKey>;

std::optional<std::uint64_t> next_use(const Demands& demands, std::size_t from, ExpertKey key) {
  const auto found = std::find(demands.begin() + static_cast<std::ptrdiff_t>(from), demands.end(), key);
  if (found == demands.end()) return std::nullopt;
  return static_cast<std::uint64_t>(found - demands.begin());
}

std::size_t reads(Eviction kind, const Demands& demands, std::uint32_t slots) {
  const auto policy = make_eviction_policy(kind);
  SlotTable table(slots);
  std::size_t count = 0;
  for (std::size_t at = 0; at < demands.size(); ++at) {
    if (table.state(demands[at]) == Residence::kAbsent) {
      ++count;
      auto slot = table.begin_load(demands[at]);
      if (!slot) {
        auto candidates = table.evictable();
        for (Evictable& held : candidates) held.turn = next_use(demands, at, held.key);
        const std::size_t victim = policy->victim({candidates, demands[at].layer, table.by_layer(), slots});
        slot = table.begin_load_over(candidates.at(victim).key, demands[at]);
      }
      table.end_load(*slot, true);
    }
    table.unpin(*table.pin(demands[at]));
  }
  return count;
}

// The fewest reads there can be: tries every eviction.
std::size_t fewest_reads(const Demands& demands, std::size_t at, std::vector<ExpertKey> held, std::size_t slots) {
  while (at < demands.size() && std::ranges::find(held, demands[at]) != held.end()) ++at;
  if (at == demands.size()) return 0;
  if (held.size() < slots) {
    held.push_back(demands[at]);
    return 1 + fewest_reads(demands, at + 1, held, slots);
  }
  std::size_t fewest = std::numeric_limits<std::size_t>::max();
  for (ExpertKey& victim : held) {
    const ExpertKey kept = std::exchange(victim, demands[at]);
    fewest = std::min(fewest, 1 + fewest_reads(demands, at + 1, held, slots));
    victim = kept;
  }
  return fewest;
}

Demands random_demands(sim::SimRandom& random, std::size_t count, std::int32_t layers, std::int32_t experts) {
  Demands demands;
  for (std::size_t i = 0; i < count; ++i) {
    const auto layer = static_cast<std::int32_t>(i) % layers;
    demands.push_back(
        {LayerId{layer}, ExpertId{static_cast<std::int32_t>(random.pick(0, static_cast<std::uint64_t>(experts) - 1))}});
  }
  return demands;
}

TEST(TableEviction, ReadsTheFewestExpertsThereCanBeWhenAllIsKnown) {
  sim::for_each_seed(200, [](std::uint64_t seed) {
    sim::SimRandom random(seed);
    const auto demands = random_demands(random, 9, 1, 5);
    const auto slots = static_cast<std::uint32_t>(random.pick(1, 4));
    EXPECT_EQ(reads(Eviction::kTable, demands, slots), fewest_reads(demands, 0, {}, slots));
  });
}

TEST(TableEviction, ReadsNoMoreThanAnyOtherWhenAllIsKnown) {
  sim::for_each_seed(50, [](std::uint64_t seed) {
    sim::SimRandom random(seed);
    const auto demands = random_demands(random, 400, 3, 8);
    const auto slots = static_cast<std::uint32_t>(random.pick(1, 24));
    const std::size_t table = reads(Eviction::kTable, demands, slots);
    for (const std::string& other : eviction_names()) {
      EXPECT_LE(table, reads(eviction_of(other), demands, slots)) << other << " with " << slots << " slots";
    }
  });
}

constexpr ExpertKey key(std::int32_t layer, std::int32_t expert) {
  return {LayerId{layer}, ExpertId{expert}};
}

ExpertKey victim(Eviction kind, const std::vector<Evictable>& candidates, LayerId layer = LayerId{0},
                 std::vector<std::uint32_t> by_layer = {3, 1}) {
  const std::size_t chosen = make_eviction_policy(kind)->victim({candidates, layer, by_layer, 4});
  return candidates.at(chosen).key;
}

// Loaded in this order; used in another.
std::vector<Evictable> four() {
  return {{key(0, 0), 1, 8}, {key(0, 1), 2, 7}, {key(0, 2), 3, 5}, {key(1, 0), 4, 4}};
}

TEST(TableEviction, TakesOfWhatNothingIsKnownTheOneWantedLeastOften) {
  auto candidates = four();
  EXPECT_EQ(victim(Eviction::kTable, candidates), key(1, 0)) << "the least recently used of those wanted as often";
  for (Evictable& candidate : candidates) candidate.wanted = candidate.key == key(0, 1) ? 1 : 2;
  EXPECT_EQ(victim(Eviction::kTable, candidates), key(0, 1));
  candidates[1].turn = 99;
  EXPECT_EQ(victim(Eviction::kTable, candidates), key(1, 0)) << "what is expected stays";
}

TEST(TableEviction, TakesTheOneNeededLastWhereAllAreNeeded) {
  auto candidates = four();
  for (std::size_t i = 0; i < candidates.size(); ++i) candidates[i].turn = i == 1 ? 50 : i;
  EXPECT_EQ(victim(Eviction::kTable, candidates), key(0, 1));
}

TEST(LruEviction, TakesTheLeastRecentlyUsedWhateverIsKnown) {
  auto candidates = four();
  candidates[3].turn = 1;
  EXPECT_EQ(victim(Eviction::kLru, candidates), key(1, 0));
}

TEST(FifoEviction, TakesTheOneThatCameFirst) {
  EXPECT_EQ(victim(Eviction::kFifo, four()), key(0, 0));
}

TEST(LruLayerEviction, TakesFromItsOwnLayerWhenThatHasItsPart) {
  EXPECT_EQ(victim(Eviction::kLruLayer, four(), LayerId{0}), key(0, 2));
}

TEST(LruLayerEviction, TakesFromALayerWithMoreThanItsPartForOneWithLess) {
  EXPECT_EQ(victim(Eviction::kLruLayer, four(), LayerId{1}), key(0, 2));
}

TEST(LruLayerEviction, TakesTheLeastRecentlyUsedWhereTheLayerHasNothingToGive) {
  const std::vector<Evictable> candidates{four()[0], four()[1]};
  EXPECT_EQ(victim(Eviction::kLruLayer, candidates, LayerId{1}, {2, 2}), key(0, 1));
}

}  // namespace
}  // namespace sida::worker

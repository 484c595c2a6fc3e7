#include "common/placement/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace sida::placement {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int kLayers = 12;
constexpr int kExperts = 256;

std::vector<Candidate> workers(std::vector<double> weights) {
  std::vector<Candidate> result;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    result.push_back({WorkerId{i}, "worker-" + std::to_string(i), weights[i], true});
  }
  return result;
}

ExpertKey key(int layer, int expert) {
  return {LayerId{layer}, ExpertId{expert}};
}

template <typename Visit>
void for_every_expert(Visit visit) {
  for (int layer = 0; layer < kLayers; ++layer) {
    for (int expert = 0; expert < kExperts; ++expert) visit(key(layer, expert));
  }
}

std::map<WorkerId, int> owned(std::span<const Candidate> candidates) {
  std::map<WorkerId, int> counts;
  for_every_expert([&](ExpertKey k) { ++counts[placement(k, candidates).front()]; });
  return counts;
}

// Computed by an independent program from the description in common/placement/README.md. Processes of different builds
// and machines must agree: a change of these values is a change of protocol.
TEST(Placement, KnownValuesDoNotChange) {
  const auto three = workers({1, 2, 3});
  EXPECT_THAT(placement(key(0, 0), three), ElementsAre(WorkerId{1}, WorkerId{2}, WorkerId{0}));
  EXPECT_THAT(placement(key(0, 1), three), ElementsAre(WorkerId{1}, WorkerId{2}, WorkerId{0}));
  EXPECT_THAT(placement(key(3, 17), three), ElementsAre(WorkerId{2}, WorkerId{1}, WorkerId{0}));
  EXPECT_THAT(placement(key(11, 255), three), ElementsAre(WorkerId{2}, WorkerId{1}, WorkerId{0}));
  std::vector<std::uint64_t> first_owners;
  for (int expert = 0; expert < 16; ++expert) first_owners.push_back(placement(key(5, expert), three).front().value);
  EXPECT_THAT(first_owners, ElementsAre(1, 1, 2, 2, 0, 1, 1, 1, 2, 1, 1, 2, 1, 1, 0, 2));
}

TEST(Placement, NamesEveryCoveringWorkerOnce) {
  const auto five = workers({1, 1, 1, 1, 1});
  auto order = placement(key(1, 2), five);
  std::ranges::sort(order);
  EXPECT_THAT(order, ElementsAre(WorkerId{0}, WorkerId{1}, WorkerId{2}, WorkerId{3}, WorkerId{4}));
}

TEST(Placement, NamesNobodyWithoutWorkers) {
  EXPECT_THAT(placement(key(0, 0), {}), IsEmpty());
}

TEST(Placement, NeverNamesAWorkerThatDoesNotCover) {
  auto three = workers({1, 1, 1});
  three[1].covers = false;
  for_every_expert(
      [&](ExpertKey k) { EXPECT_THAT(placement(k, three), testing::Not(testing::Contains(WorkerId{1}))); });
}

TEST(Placement, DoesNotDependOnTheOrderOfWorkers) {
  auto four = workers({1, 2, 3, 4});
  auto turned = four;
  std::ranges::reverse(turned);
  for_every_expert([&](ExpertKey k) { EXPECT_EQ(placement(k, four), placement(k, turned)); });
}

TEST(Placement, DependsOnTheNameAndNotOnTheIncarnation) {
  auto before = workers({1, 1, 1});
  auto after = before;
  after[1].worker = WorkerId{99};
  for_every_expert([&](ExpertKey k) {
    auto order = placement(k, before);
    std::ranges::replace(order, WorkerId{1}, WorkerId{99});
    EXPECT_EQ(order, placement(k, after));
  });
}

TEST(Placement, DoesNotDependOnTheScaleOfWeights) {
  const auto small = workers({1, 2, 4});
  const auto large = workers({1024, 2048, 4096});
  for_every_expert([&](ExpertKey k) { EXPECT_EQ(placement(k, small), placement(k, large)); });
}

TEST(Placement, OwnsInProportionToWeight) {
  const std::vector<double> weights{1, 1, 2, 4};
  const auto counts = owned(workers(weights));
  constexpr double kTotal = kLayers * kExperts;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double share = weights[i] / 8;
    const double deviation = std::sqrt(kTotal * share * (1 - share));
    EXPECT_NEAR(counts.at(WorkerId{i}), kTotal * share, 4 * deviation) << "worker " << i;
  }
}

TEST(Placement, RemovingAWorkerMovesOnlyItsShareToTheNextInOrder) {
  const auto four = workers({1, 2, 1, 3});
  auto three = four;
  three.erase(three.begin() + 1);
  for_every_expert([&](ExpertKey k) {
    auto order = placement(k, four);
    std::erase(order, WorkerId{1});
    EXPECT_EQ(order, placement(k, three));
  });
}

TEST(Placement, RaisingAWeightMovesExpertsOnlyToThatWorker) {
  const auto before = workers({1, 1, 1});
  const auto after = workers({1, 2, 1});
  int moved = 0;
  for_every_expert([&](ExpertKey k) {
    const WorkerId old_owner = placement(k, before).front();
    const WorkerId new_owner = placement(k, after).front();
    if (old_owner == new_owner) return;
    EXPECT_EQ(new_owner, WorkerId{1});
    ++moved;
  });
  EXPECT_GT(moved, 0);
}

}  // namespace
}  // namespace sida::placement

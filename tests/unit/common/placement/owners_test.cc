#include "common/placement/owners.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace sida::placement {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr int kLayers = 4;
constexpr int kExperts = 64;
constexpr std::uint64_t kTotal = kLayers * kExperts;

proto::Member member(std::uint64_t id, std::uint32_t slots, double speed, std::uint64_t numerics = 1) {
  proto::Member result;
  result.worker = WorkerId{id};
  result.name = "worker-" + std::to_string(id);
  result.capacity.slots = slots;
  result.capacity.experts_per_second = speed;
  result.numerics_id = numerics;
  return result;
}

ExpertKey key(int layer, int expert) {
  return {LayerId{layer}, ExpertId{expert}};
}

TEST(CandidateWeights, CountSlotsWhileMemoryIsShort) {
  const std::vector members{member(0, 10, 100), member(1, 30, 800)};
  EXPECT_THAT(candidate_weights(members, 100), ElementsAre(10, 30));
}

TEST(CandidateWeights, FollowSpeedWhenEverythingFits) {
  const std::vector members{member(0, 100, 128), member(1, 100, 256)};
  EXPECT_THAT(candidate_weights(members, 90), ElementsAre(DoubleNear(30, 1e-9), DoubleNear(60, 1e-9)));
}

TEST(CandidateWeights, NeverExceedSlotsWhenEverythingFits) {
  const std::vector members{member(0, 100, 1), member(1, 20, 1024), member(2, 100, 1)};
  EXPECT_THAT(candidate_weights(members, 90), ElementsAre(DoubleNear(35, 1e-9), 20, DoubleNear(35, 1e-9)));
}

TEST(CandidateWeights, IgnoreNoiseInTheMeasuredSpeed) {
  for (double speed : {100.0, 110.0, 127.0, 129.0, 200.0}) {
    const std::vector members{member(0, 100, speed), member(1, 100, speed * 1.15)};
    EXPECT_THAT(candidate_weights(members, 100), ElementsAre(DoubleNear(50, 1e-9), DoubleNear(50, 1e-9)));
  }
}

TEST(CandidateWeights, AreZeroForDrainingMembers) {
  std::vector members{member(0, 10, 1), member(1, 10, 1)};
  members[0].draining = true;
  EXPECT_THAT(candidate_weights(members, 100), ElementsAre(0, 10));
}

TEST(CandidateWeights, StayPositiveWhateverIsAnnounced) {
  const std::vector members{member(0, 0, std::numeric_limits<double>::quiet_NaN()),
                            member(1, 4'000'000'000U, std::numeric_limits<double>::infinity()), member(2, 1, -5),
                            member(3, 7, 1e300)};
  for (std::uint64_t total : {0ULL, 1ULL, 7ULL, 8ULL, 1000ULL, 1ULL << 62U}) {
    for (double weight : candidate_weights(members, total)) {
      EXPECT_GT(weight, 0);
      EXPECT_TRUE(std::isfinite(weight));
    }
  }
}

TEST(CandidateWeights, DoNotDependOnTheOrderOfMembers) {
  const std::vector members{member(0, 100, 3), member(1, 20, 1000), member(2, 77, 10)};
  const std::vector turned{members[2], members[1], members[0]};
  const auto weights = candidate_weights(members, 90);
  EXPECT_THAT(candidate_weights(turned, 90), ElementsAre(weights[2], weights[1], weights[0]));
}

TEST(Owners, AreThePlacementByWeight) {
  const std::vector members{member(0, 10, 1), member(1, 30, 1)};
  const Owners owners(members, kTotal);
  const std::vector<Candidate> candidates{{WorkerId{0}, "worker-0", 10, true}, {WorkerId{1}, "worker-1", 30, true}};
  for (int expert = 0; expert < kExperts; ++expert) {
    EXPECT_EQ(owners.of(key(0, expert)), placement(key(0, expert), candidates));
  }
}

TEST(Owners, ExcludeDrainingMembers) {
  std::vector members{member(0, 10, 1), member(1, 10, 1)};
  members[0].draining = true;
  EXPECT_THAT(Owners(members, kTotal).of(key(0, 0)), ElementsAre(WorkerId{1}));
}

TEST(Owners, ExcludeMembersWhoseStoreLacksTheLayer) {
  std::vector members{member(0, 10, 1), member(1, 10, 1)};
  members[0].covered_layers = {LayerId{2}, LayerId{0}};
  const Owners owners(members, kTotal);
  EXPECT_THAT(owners.of(key(0, 5)), UnorderedElementsAre(WorkerId{0}, WorkerId{1}));
  EXPECT_THAT(owners.of(key(1, 5)), ElementsAre(WorkerId{1}));
}

TEST(Owners, AreNobodyWithoutMembers) {
  EXPECT_THAT(Owners({}, kTotal).of(key(0, 0)), IsEmpty());
}

TEST(Owners, PreferTheNumericsIdThatCanHoldTheModel) {
  // Id 2 is faster but cannot hold everything alone.
  const std::vector members{member(0, kTotal, 1, 1), member(1, 8, 1000, 2)};
  const Owners owners(members, kTotal);
  for (int expert = 0; expert < kExperts; ++expert) EXPECT_EQ(owners.of(key(0, expert)).front(), WorkerId{0});
}

TEST(Owners, MixNumericsIdsWhenNoneCanHoldTheModel) {
  const std::vector members{member(0, kTotal / 2, 1, 1), member(1, kTotal / 2, 1, 2)};
  const Owners owners(members, kTotal);
  int of_second = 0;
  for (int expert = 0; expert < kExperts; ++expert)
    of_second += owners.of(key(0, expert)).front() == WorkerId{1} ? 1 : 0;
  EXPECT_GT(of_second, kExperts / 4);
  EXPECT_LT(of_second, kExperts * 3 / 4);
}

}  // namespace
}  // namespace sida::placement

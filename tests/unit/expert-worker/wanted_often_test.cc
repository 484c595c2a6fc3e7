#include "expert-worker/residency/wanted_often.h"

#include <gtest/gtest.h>

namespace sida::worker {
namespace {

constexpr ExpertKey kOften{LayerId{0}, ExpertId{0}};
constexpr ExpertKey kOnce{LayerId{0}, ExpertId{1}};
constexpr ExpertKey kNever{LayerId{0}, ExpertId{2}};
constexpr ExpertKey kOther{LayerId{1}, ExpertId{0}};

TEST(WantedOften, CountsDemands) {
  WantedOften wanted(100);
  wanted.demanded(kOften);
  wanted.demanded(kOften);
  wanted.demanded(kOnce);
  EXPECT_GT(wanted.level(kOften), wanted.level(kOnce));
  EXPECT_GT(wanted.level(kOnce), wanted.level(kNever));
}

TEST(WantedOften, HalvesTheWeightOfADemandAfterTheHalfLife) {
  WantedOften wanted(10);
  wanted.demanded(kOften);
  wanted.demanded(kOften);
  for (int i = 0; i < 12; ++i) wanted.demanded(kOther);
  wanted.demanded(kOnce);
  EXPECT_GT(wanted.level(kOnce), wanted.level(kOften)) << "two demands, more than a half-life ago";
}

}  // namespace
}  // namespace sida::worker

#include "predictor/hash/best_experts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace sida::predictor {
namespace {

using testing::ElementsAre;
using testing::FloatNear;

struct Named {
  std::vector<std::int16_t> experts;
  std::vector<float> confidences;
};

Named best_of(const std::vector<float>& logits, std::size_t k) {
  Named named{std::vector<std::int16_t>(k), std::vector<float>(k)};
  best_experts(logits, named.experts, named.confidences);
  return named;
}

TEST(BestExperts, AreTheLargestLogitsInOrder) {
  EXPECT_THAT(best_of({0, 3, 1, 2}, 3).experts, ElementsAre(1, 3, 2));
}

TEST(BestExperts, HaveTheSoftmaxOverAllAsConfidence) {
  const Named named = best_of({std::log(1.0F), std::log(2.0F), std::log(5.0F)}, 2);
  EXPECT_THAT(named.confidences, ElementsAre(FloatNear(0.625F, 1e-6F), FloatNear(0.25F, 1e-6F)));
}

TEST(BestExperts, TakeTheLowerOneOfEquals) {
  EXPECT_THAT(best_of({1, 1, 1}, 2).experts, ElementsAre(0, 1));
}

TEST(BestExperts, AreFewerThanAskedForWhereThereAreFewer) {
  EXPECT_THAT(best_of({1, 2}, 4).experts, ElementsAre(1, 0, -1, -1));
  EXPECT_THAT(best_of({1, 2}, 4).confidences[2], 0);
}

TEST(BestExperts, PassOverWhatIsNotFinite) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_THAT(best_of({nan, 2, infinity}, 2).experts, ElementsAre(1, -1));
  EXPECT_THAT(best_of({nan, nan}, 1).experts, ElementsAre(-1));
  EXPECT_THAT(best_of({nan, nan}, 1).confidences, ElementsAre(0));
}

}  // namespace
}  // namespace sida::predictor

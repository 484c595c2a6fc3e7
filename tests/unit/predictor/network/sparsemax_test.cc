#include "predictor/network/sparsemax.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace sida::predictor {
namespace {

using testing::ElementsAre;
using testing::FloatNear;

std::vector<float> sparsemax_of(std::vector<float> row) {
  sparsemax(row);
  return row;
}

TEST(Sparsemax, KeepsOnlyTheLargestWhereItStandsOut) {
  EXPECT_THAT(sparsemax_of({0.1F, 3.0F, 0.2F}), ElementsAre(0, 1, 0));
}

TEST(Sparsemax, SharesAmongThoseThatAreClose) {
  EXPECT_THAT(sparsemax_of({1.0F, 0.8F, -5.0F}), ElementsAre(FloatNear(0.6F, 1e-6F), FloatNear(0.4F, 1e-6F), 0));
}

TEST(Sparsemax, IsUniformForEquals) {
  EXPECT_THAT(sparsemax_of({7, 7, 7, 7}), ElementsAre(0.25F, 0.25F, 0.25F, 0.25F));
}

TEST(Sparsemax, StaysFiniteWhateverItReads) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_THAT(sparsemax_of({infinity, 1}), ElementsAre(0.5F, 0.5F));
  EXPECT_THAT(sparsemax_of({}), ElementsAre());
}

}  // namespace
}  // namespace sida::predictor

#include "router/dispatch/part_planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sida::router {
namespace {

using Group = proto::Dispatch::Group;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr ExpertId kE1{1};
constexpr ExpertId kE2{2};

TEST(PartPlanner, GroupsRowsByExpertInAscendingOrder) {
  const auto parts = plan_parts({{3, kE2}, {2, kE1}, {0, kE2}, {1, kE1}}, 100);
  ASSERT_EQ(parts.size(), 1U);
  EXPECT_THAT(parts[0].groups, ElementsAre(Group{kE1, 2}, Group{kE2, 2}));
  EXPECT_THAT(parts[0].rows, ElementsAre(1, 2, 0, 3));
}

TEST(PartPlanner, SplitsWhenRowsExceedTheLimit) {
  const auto parts = plan_parts({{0, kE1}, {1, kE1}, {2, kE1}, {3, kE2}, {4, kE2}}, 2);
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_THAT(parts[0].groups, ElementsAre(Group{kE1, 2}));
  EXPECT_THAT(parts[1].groups, ElementsAre(Group{kE1, 1}, Group{kE2, 1}));
  EXPECT_THAT(parts[1].rows, ElementsAre(2, 3));
  EXPECT_THAT(parts[2].groups, ElementsAre(Group{kE2, 1}));
}

TEST(PartPlanner, MakesNoPartOfNoRows) {
  EXPECT_THAT(plan_parts({}, 1), IsEmpty());
}

}  // namespace
}  // namespace sida::router

#include "router/scheduling/expert_popularity.h"

#include <gtest/gtest.h>

#include <vector>

namespace sida::router {
namespace {

ExpertSet experts(std::initializer_list<std::size_t> ids) {
  ExpertSet set(100);
  for (const std::size_t id : ids) set.add(id);
  return set;
}

TEST(ExpertPopularity, IsTheShareOfSourcesThatUseAnExpert) {
  ExpertPopularity popularity;
  EXPECT_TRUE(popularity.absence().empty());
  for (int i = 0; i < 3; ++i) popularity.add(experts({0, 70}));
  for (int i = 0; i < 6; ++i) popularity.add(experts({70}));
  const std::vector<float> absence = popularity.absence();
  ASSERT_EQ(absence.size(), 71U);
  EXPECT_FLOAT_EQ(absence[0], 0.7F);
  EXPECT_FLOAT_EQ(absence[1], 1);
  EXPECT_FLOAT_EQ(absence[70], 0.1F);  // One source more than counted did not use it.
}

TEST(ExpertPopularity, ForgetsWhatWasLongAgo) {
  ExpertPopularity popularity;
  for (std::uint32_t i = 0; i < ExpertPopularity::kSourcesMax; ++i) popularity.add(experts({0}));
  for (std::uint32_t i = 0; i < 8 * ExpertPopularity::kSourcesMax; ++i) popularity.add(experts({1}));
  EXPECT_GT(popularity.absence()[0], 0.99F);
  EXPECT_LT(popularity.absence()[1], 0.01F);
}

TEST(ExpertSet, CountsWhatIsThereAndWhatIsShared) {
  const ExpertSet set = experts({3, 64, 99});
  std::vector<std::size_t> visited;
  set.for_each([&](std::size_t expert) { visited.push_back(expert); });
  EXPECT_EQ(visited, (std::vector<std::size_t>{3, 64, 99}));
  EXPECT_EQ(set.size(), 3U);
  EXPECT_EQ(set.shared_with(experts({3, 4, 99})), 2U);
  EXPECT_EQ(set.shared_with(ExpertSet()), 0U);
}

}  // namespace
}  // namespace sida::router

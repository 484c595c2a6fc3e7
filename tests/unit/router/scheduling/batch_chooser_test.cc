#include "router/scheduling/batch_chooser.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <limits>
#include <vector>

namespace sida::router {
namespace {

constexpr std::int64_t kMany = std::numeric_limits<std::int64_t>::max();

ExpertSet experts(std::initializer_list<std::size_t> ids) {
  ExpertSet set(200);
  for (const std::size_t id : ids) set.add(id);
  return set;
}

// Sources that wait, and a batch with one in it: of experts 0 to 3.
class Choice : public ::testing::Test {
 protected:
  Choice() {
    for (const ExpertSet* set : {&in_batch_, &far_, &half_, &within_}) popularity_.add(*set);
    chooser_ = BatchChooser(popularity_);
    chooser_.take(source(in_batch_));
  }

  static WaitingSource source(const ExpertSet& set, std::int64_t rows = 10) {
    return {.id = SequenceId{1}, .rows = rows, .cache_tokens = rows, .experts = &set};
  }
  static WaitingSource unknown() { return {.id = SequenceId{1}, .rows = 10, .cache_tokens = 10}; }

  [[nodiscard]] std::size_t chosen(const std::vector<WaitingSource>& waiting, std::int64_t rows = kMany,
                                   std::int64_t cache_tokens = kMany) const {
    return chooser_.choose(waiting, rows, cache_tokens);
  }

  ExpertSet in_batch_ = experts({0, 1, 2, 3});
  ExpertSet far_ = experts({100, 101, 199});  // Adds all of them, more than to a batch of strangers.
  ExpertSet half_ = experts({2, 3, 70, 71});  // Adds two.
  ExpertSet within_ = experts({1, 2});        // Adds none.
  ExpertPopularity popularity_;
  BatchChooser chooser_{popularity_};
};

TEST_F(Choice, BeginsWithTheOldest) {
  const BatchChooser empty(popularity_);
  EXPECT_EQ(empty.choose(std::vector{source(far_), source(within_)}, kMany, kMany), 0U);
}

TEST_F(Choice, TakesTheOneThatSavesMost) {
  EXPECT_EQ(chosen({source(far_), source(half_)}), 1U);
  EXPECT_EQ(chosen({source(far_), source(half_), source(within_)}), 2U);
}

TEST_F(Choice, ALongSourceMayAddMoreAndSaveMore) {
  const ExpertSet long_one = experts({0, 1, 2, 3, 9});
  EXPECT_EQ(chosen({source(within_), source(long_one)}), 1U);
}

TEST_F(Choice, SharingWhatEverySourceUsesSavesLittle) {
  const ExpertSet usual = experts({1, 2, 60});
  const ExpertSet rare = experts({0, 3, 61});
  for (int i = 0; i < 50; ++i) popularity_.add(experts({1, 2}));
  chooser_ = BatchChooser(popularity_);
  chooser_.take(source(in_batch_));
  EXPECT_EQ(chosen({source(usual), source(rare)}), 1U);
}

TEST_F(Choice, OfEqualOnesTakesTheOlder) {
  EXPECT_EQ(chosen({source(far_), source(within_), source(within_)}), 1U);
  EXPECT_EQ(chosen({source(far_), source(far_)}), 0U);
}

TEST_F(Choice, NobodyOvertakesWithoutATable) {
  EXPECT_EQ(chosen({unknown(), unknown()}), 0U);
  EXPECT_EQ(chosen({source(far_), unknown()}), 0U);
}

TEST_F(Choice, WithoutATableOneIsOvertakenByThoseThatSave) {
  EXPECT_EQ(chosen({unknown(), source(within_)}), 1U);
  EXPECT_EQ(chosen({unknown(), source(far_)}), 0U);
}

TEST_F(Choice, LooksOnlyAtThoseThatFit) {
  const std::vector waiting{source(far_), source(within_, 20), source(half_)};
  EXPECT_EQ(chosen(waiting, 10), 2U);
  EXPECT_EQ(chosen(waiting, kMany, 19), 2U);
  EXPECT_EQ(chosen(waiting, 20), 1U);
}

TEST_F(Choice, LooksOnlyAtTheOldest) {
  std::vector<WaitingSource> waiting(BatchChooser::kCandidatesMax, source(far_));
  waiting.push_back(source(within_));
  EXPECT_EQ(chosen(waiting), 0U);
  waiting.erase(waiting.begin());
  EXPECT_EQ(chosen(waiting), BatchChooser::kCandidatesMax - 1);
}

TEST_F(Choice, GoesByTheWholeBatch) {
  chooser_.take(source(far_));
  const ExpertSet both = experts({0, 100, 101});
  EXPECT_EQ(chosen({source(half_), source(both)}), 1U);
}

}  // namespace
}  // namespace sida::router

#include "predictor/core/sequence_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sida::predictor {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

SequenceKey key(std::uint64_t router, std::uint64_t sequence) {
  return {transport::PeerId{router}, SequenceId{sequence}};
}

class SequenceTableTest : public testing::Test {
 protected:
  TimePoint start_{};
  SequenceTable table_{{.sequences_max = 3, .state_bytes_max = 35, .idle_max = seconds(60)}};
};

TEST_F(SequenceTableTest, FollowsADecoder) {
  table_.begin(key(1, 7), 10, start_);
  EXPECT_TRUE(table_.advance(key(1, 7), 0, start_));
  EXPECT_TRUE(table_.advance(key(1, 7), 1, start_));
}

TEST_F(SequenceTableTest, IgnoresRepeatedPositions) {
  table_.begin(key(1, 7), 10, start_);
  EXPECT_TRUE(table_.advance(key(1, 7), 3, start_));
  EXPECT_FALSE(table_.advance(key(1, 7), 3, start_));
  EXPECT_FALSE(table_.advance(key(1, 7), 2, start_));
}

TEST_F(SequenceTableTest, BeginsAnewWhenToldAgain) {
  table_.begin(key(1, 7), 10, start_);
  table_.advance(key(1, 7), 3, start_);
  table_.begin(key(1, 7), 10, start_);
  EXPECT_TRUE(table_.advance(key(1, 7), 0, start_));
  EXPECT_EQ(table_.size(), 1U);
}

TEST_F(SequenceTableTest, KeepsTheSequencesOfRoutersApart) {
  table_.begin(key(1, 7), 10, start_);
  EXPECT_FALSE(table_.advance(key(2, 7), 0, start_));
}

TEST_F(SequenceTableTest, MakesRoomByTheSequenceUntouchedForLongest) {
  table_.begin(key(1, 1), 10, start_);
  table_.begin(key(1, 2), 10, start_);
  table_.begin(key(1, 3), 10, start_);
  table_.advance(key(1, 1), 0, start_);
  EXPECT_THAT(table_.begin(key(1, 4), 10, start_), ElementsAre(key(1, 2)));
  EXPECT_EQ(table_.size(), 3U);
  EXPECT_TRUE(table_.knows(key(1, 1)));
  EXPECT_FALSE(table_.knows(key(1, 2)));
}

TEST_F(SequenceTableTest, MakesRoomForLargeStates) {
  table_.begin(key(1, 1), 10, start_);
  table_.begin(key(1, 2), 10, start_);
  EXPECT_THAT(table_.begin(key(1, 3), 30, start_), ElementsAre(key(1, 1), key(1, 2)));
  EXPECT_EQ(table_.state_bytes(), 30U);
}

TEST_F(SequenceTableTest, CountsTheMemoryOfAStateOnceHoweverOftenItBegins) {
  table_.begin(key(1, 1), 10, start_);
  EXPECT_THAT(table_.begin(key(1, 1), 20, start_), IsEmpty());
  EXPECT_EQ(table_.state_bytes(), 20U);
  table_.forget(key(1, 1));
  EXPECT_EQ(table_.state_bytes(), 0U);
}

TEST_F(SequenceTableTest, GivesUpWhatIsIdleForTooLong) {
  table_.begin(key(1, 1), 10, start_);
  table_.begin(key(1, 2), 10, start_);
  table_.advance(key(1, 1), 0, start_ + seconds(50));
  EXPECT_THAT(table_.expire(start_ + seconds(60)), IsEmpty());
  EXPECT_THAT(table_.expire(start_ + seconds(61)), ElementsAre(key(1, 2)));
  EXPECT_THAT(table_.expire(start_ + seconds(111)), ElementsAre(key(1, 1)));
  EXPECT_EQ(table_.size(), 0U);
}

TEST_F(SequenceTableTest, ForgetsAllOfOneRouter) {
  table_.begin(key(1, 1), 10, start_);
  table_.begin(key(2, 1), 10, start_);
  table_.begin(key(2, 9), 10, start_);
  EXPECT_THAT(table_.forget_router(transport::PeerId{2}), ElementsAre(key(2, 1), key(2, 9)));
  EXPECT_EQ(table_.size(), 1U);
  EXPECT_TRUE(table_.forget(key(1, 1)));
  EXPECT_FALSE(table_.forget(key(1, 1)));
}

}  // namespace
}  // namespace sida::predictor

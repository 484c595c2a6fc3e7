#include "cli/progress.h"

#include <gtest/gtest.h>

namespace sida::cli {
namespace {

TEST(Progress, TellsSpeedAndTimeLeft) {
  EXPECT_EQ(progress_line({.done = 3, .total = 12, .tokens = 600, .share = 0.25, .elapsed = std::chrono::seconds(30)}),
            "3 of 12 sequences, 600 tokens, 20 tokens/s, 1 min 30 s left");
  EXPECT_EQ(progress_line({.done = 0, .total = 12}), "0 of 12 sequences");
}

TEST(Progress, SaysNothingOfTokensThatNobodyCounts) {
  EXPECT_EQ(progress_line({.done = 3, .total = 12, .share = 0.25, .elapsed = std::chrono::seconds(30)}),
            "3 of 12 sequences, 1 min 30 s left");
}

TEST(Progress, TellsTheRateOfThisRunAlone) {
  EXPECT_EQ(byte_progress_line({.done = 3'200'000'000,
                                .total = 29'400'000'000,
                                .before = 1'200'000'000,
                                .elapsed = std::chrono::seconds(4)}),
            "3.2 of 29.4 GB, 0.50 GB/s, 52 s left");
  EXPECT_EQ(byte_progress_line({.done = 1'200'000'000, .total = 2'000'000'000, .before = 1'200'000'000}),
            "1.2 of 2.0 GB");
}

TEST(Progress, DurationsAreShort) {
  EXPECT_EQ(short_duration(std::chrono::milliseconds(59'400)), "59 s");
  EXPECT_EQ(short_duration(std::chrono::seconds(200)), "3 min 20 s");
  EXPECT_EQ(short_duration(std::chrono::minutes(125)), "2 h 5 min");
}

}  // namespace
}  // namespace sida::cli

#include "router/trunk/record_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sida::router {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(RecordGate, RanksTheExpertsOfEachRow) {
  const std::vector<std::int32_t> choice{1, 0};
  const std::vector<float> probabilities{0.25F, 0.5F, 0.25F, 0.5F, 0.1F, 0.4F};
  const GateRecord record = record_gate(2, std::vector<std::int32_t>{0, 1}, choice, probabilities);
  EXPECT_EQ(record.top, 3U);
  EXPECT_THAT(record.choice, ElementsAre(1, 0));
  EXPECT_THAT(record.experts, ElementsAre(1, 0, 2, 0, 2, 1)) << "of equal ones the lower id";
  EXPECT_THAT(record.probabilities, ElementsAre(0.5F, 0.25F, 0.25F, 0.5F, 0.4F, 0.1F));
}

TEST(RecordGate, KeepsTheThirtyLargest) {
  std::vector<float> probabilities(64);
  for (std::size_t expert = 0; expert < 64; ++expert) probabilities[expert] = static_cast<float>(expert) / 2016;
  const GateRecord record = record_gate(1, std::vector<std::int32_t>{0}, std::vector<std::int32_t>{63}, probabilities);
  EXPECT_EQ(record.top, 30U);
  EXPECT_EQ(record.experts.size(), 30U);
  EXPECT_EQ(record.experts.front(), 63);
  EXPECT_EQ(record.experts.back(), 34);
}

TEST(RecordGate, LeavesOutTheRowsThatTheGateWasNotAskedAbout) {
  const GateRecord record =
      record_gate(3, std::vector<std::int32_t>{1}, std::vector<std::int32_t>{1}, std::vector<float>{0.25F, 0.75F});
  EXPECT_THAT(record.choice, ElementsAre(-1, 1, -1));
  EXPECT_THAT(record.experts, ElementsAre(-1, -1, 1, 0, -1, -1));
  EXPECT_THAT(record.probabilities, ElementsAre(0, 0, 0.75F, 0.25F, 0, 0));
}

TEST(RecordCertain, GivesTheTablesExpertAllTheProbability) {
  const GateRecord record = record_certain(std::vector<std::int32_t>{1, 2}, 3);
  EXPECT_THAT(record.choice, ElementsAre(1, 2));
  EXPECT_THAT(record.experts, ElementsAre(1, 0, 2, 2, 0, 1));
  EXPECT_THAT(record.probabilities, ElementsAre(1, 0, 0, 1, 0, 0));
}

TEST(GateRecord, IsCutAndPutTogether) {
  const GateRecord whole{2, {1, 0, 1}, {1, 0, 0, 1, 1, 0}, {6, 5, 4, 3, 2, 1}};
  GateRecord parts = whole.cut(0, 1);
  EXPECT_THAT(parts.experts, ElementsAre(1, 0));
  parts.append(whole.cut(1, 2));
  EXPECT_EQ(parts.choice, whole.choice);
  EXPECT_EQ(parts.experts, whole.experts);
  EXPECT_EQ(parts.probabilities, whole.probabilities);
  EXPECT_THAT(GateRecord().cut(3, 4).choice, IsEmpty()) << "where nothing was recorded";
}

}  // namespace
}  // namespace sida::router

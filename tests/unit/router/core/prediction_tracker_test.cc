#include "router/core/prediction_tracker.h"

#include <gtest/gtest.h>

#include <vector>

namespace sida::router {
namespace {

using std::chrono::milliseconds;

constexpr SequenceId kSequence{5};
constexpr TimePoint kStart{std::chrono::seconds(100)};

// Two encoder layers, one decoder layer, four experts.
PredictionTracker tracker_of_three_layers() {
  return {2, 3, 4};
}

proto::HashTableEntries entries_for(std::int32_t layer, std::vector<std::int16_t> experts, std::uint8_t k = 1) {
  proto::HashTableEntries entries{.sequence = kSequence, .first_layer = LayerId{layer}, .layers = 1, .k = k};
  entries.tokens = static_cast<std::uint32_t>(experts.size() / k);
  entries.confidences.assign(experts.size(), 1.0F);
  entries.experts = std::move(experts);
  return entries;
}

class Tracker : public ::testing::Test {
 protected:
  Tracker() { tracker.expect(kSequence, 3, true, kStart); }

  // The layer ran at `needed` and the gate said this; a step took the table at `taken`.
  RoutingReport used(std::int32_t layer, std::size_t first, std::vector<std::int32_t> gate, TimePoint needed,
                     TimePoint taken) {
    RoutingReport report;
    const std::vector<std::uint8_t> by_table(gate.size(), 0);
    tracker.used(kSequence, {LayerId{layer}, first, gate, by_table, needed, taken}, report);
    return report;
  }
  RoutingReport used(std::int32_t layer, std::size_t first, std::vector<std::int32_t> gate) {
    return used(layer, first, std::move(gate), kStart + milliseconds(9), kStart + milliseconds(9));
  }

  PredictionTracker tracker = tracker_of_three_layers();
};

TEST_F(Tracker, CountsAgreementPerLayer) {
  ASSERT_TRUE(tracker.add(entries_for(1, {0, 1, -1}), kStart));
  const RoutingReport report = used(1, 0, {0, 2, 3});
  EXPECT_EQ(report.routed, 3U);
  EXPECT_EQ(report.predicted, 2U);  // For the third there was no prediction.
  EXPECT_EQ(report.compared, 2U);
  EXPECT_EQ(report.agreed, 1U);
  EXPECT_EQ(report.late, 0U);
  EXPECT_EQ(tracker.layers()[1].agreed, 1U);
  EXPECT_EQ(tracker.layers()[0].predicted, 0U);
}

TEST_F(Tracker, TellsLayersWhoseEntriesMostlyComeTooLate) {
  ASSERT_TRUE(tracker.add(entries_for(1, {0, 1, 2}), kStart + milliseconds(5)));
  EXPECT_TRUE(tracker.in_time(LayerId{1})) << "nothing was seen of it";
  const auto ran_at = [&](milliseconds when) { used(1, 0, {0, 1, 2}, kStart + when, kStart + when); };
  for (int i = 0; i < 32; ++i) ran_at(milliseconds(4));
  EXPECT_FALSE(tracker.in_time(LayerId{1}));
  EXPECT_TRUE(tracker.in_time(LayerId{0}));
  for (int i = 0; i < 32; ++i) ran_at(milliseconds(6));
  EXPECT_TRUE(tracker.in_time(LayerId{1}));
}

TEST_F(Tracker, NamesTheExpertsOfTheSource) {
  ASSERT_TRUE(tracker.add(entries_for(0, {0, 1, 1, 3, -1, -1}, 2), kStart));
  ASSERT_TRUE(tracker.add(entries_for(1, {2, -1, 2}), kStart));
  ASSERT_TRUE(tracker.add(entries_for(2, {3}), kStart));  // The decoder's.
  ExpertSet best(8);
  for (const std::size_t expert : {0, 1, 4 + 2}) best.add(expert);
  EXPECT_EQ(tracker.source_experts(kSequence, 1), best);
  best.add(3);
  EXPECT_EQ(tracker.source_experts(kSequence, 2), best);
  EXPECT_EQ(tracker.source_experts(SequenceId{99}, 2).size(), 0U);
}

TEST_F(Tracker, ComparesOnlyWhereTheGateWasAsked) {
  ASSERT_TRUE(tracker.add(entries_for(0, {0, 1, 2}), kStart));
  const RoutingReport report = used(0, 0, {-1, 1, -1});
  EXPECT_EQ(report.predicted, 3U);
  EXPECT_EQ(report.compared, 1U);
  EXPECT_EQ(report.agreed, 1U);
}

TEST_F(Tracker, AnEntryThatCameAfterTheTableWasTakenIsLate) {
  ASSERT_TRUE(tracker.add(entries_for(0, {0, 1}), kStart + milliseconds(2)));
  auto third = entries_for(0, {2});
  third.first_token = 2;
  ASSERT_TRUE(tracker.add(third, kStart + milliseconds(6)));
  const RoutingReport report = used(0, 0, {0, 1, 2}, kStart + milliseconds(7), kStart + milliseconds(5));
  EXPECT_EQ(report.predicted, 2U);
  EXPECT_EQ(report.late, 1U);
  EXPECT_EQ(tracker.layers()[0].lead.count(), 0U);
}

TEST_F(Tracker, WhatNobodyWasAskedForIsNotLate) {
  tracker.expect(kSequence, 3, false, kStart);
  EXPECT_EQ(used(0, 0, {0, 1, 2}).late, 0U);
}

TEST_F(Tracker, LeadTimeIsFromTheLastEntryToTheLayersNeed) {
  ASSERT_TRUE(tracker.add(entries_for(1, {0, 1, 2}), kStart + milliseconds(2)));
  used(1, 0, {0, 1, 2}, kStart + milliseconds(10), kStart + milliseconds(10));
  EXPECT_EQ(tracker.layers()[1].lead.count(), 1U);
  EXPECT_EQ(tracker.layers()[1].lead.sum(), milliseconds(8));
}

TEST_F(Tracker, DecoderEntriesGrowTokenByToken) {
  auto later = entries_for(2, {3});
  later.first_token = 4;
  ASSERT_TRUE(tracker.add(later, kStart));
  EXPECT_EQ(used(2, 4, {3}).agreed, 1U);
  EXPECT_TRUE(tracker.complete(kSequence, TableStack::kDecoder, 4, 1));
  EXPECT_FALSE(tracker.complete(kSequence, TableStack::kDecoder, 3, 2));
}

TEST_F(Tracker, IsCompleteWhenEveryLayerHasAWordOnEveryToken) {
  ASSERT_TRUE(tracker.add(entries_for(0, {0, 1, -1}), kStart));
  EXPECT_FALSE(tracker.complete(kSequence, TableStack::kEncoder, 0, 3));
  ASSERT_TRUE(tracker.add(entries_for(1, {0, 1, 2}), kStart));
  EXPECT_TRUE(tracker.complete(kSequence, TableStack::kEncoder, 0, 3));
}

TEST_F(Tracker, RowsHoldTheBestKAndNothingWhereNothingCame) {
  ASSERT_TRUE(tracker.add(entries_for(1, {0, 1, 2, 3, -1, 1}, 2), kStart));
  const TableRows rows = tracker.rows(kSequence, TableStack::kEncoder, 1, 2, 2);
  EXPECT_EQ(rows.layers, 2U);
  EXPECT_EQ(rows.rows, 2U);
  EXPECT_EQ(rows.experts_of(LayerId{0}, 0)[0], -1);
  EXPECT_EQ(rows.experts_of(LayerId{1}, 0)[0], 2);
  EXPECT_EQ(rows.experts_of(LayerId{1}, 0)[1], 3);
  EXPECT_EQ(rows.experts_of(LayerId{1}, 1)[1], -1);  // After a -1 nothing counts.
}

TEST_F(Tracker, TheFirstOfTwoEntriesStays) {
  ASSERT_TRUE(tracker.add(entries_for(0, {0, 1, 2}), kStart));
  ASSERT_TRUE(tracker.add(entries_for(0, {3, 3, 3}), kStart));
  EXPECT_EQ(tracker.rows(kSequence, TableStack::kEncoder, 0, 3, 1).experts_of(LayerId{0}, 2)[0], 2);
}

TEST_F(Tracker, KeepsNothingThatDoesNotFit) {
  EXPECT_FALSE(tracker.add(entries_for(3, {0}), kStart));           // Unknown layer.
  EXPECT_FALSE(tracker.add(entries_for(0, {4}), kStart));           // Unknown expert.
  EXPECT_FALSE(tracker.add(entries_for(0, {0, 0, 0, 0}), kStart));  // More tokens than the source has.
  tracker.forget(kSequence);
  EXPECT_FALSE(tracker.add(entries_for(0, {0}), kStart));  // Unknown sequence.
}

TEST(LeadTimes, QuantilesAreTheEndsOfTheirBuckets) {
  LeadTimes lead;
  EXPECT_EQ(lead.quantile(0.5).count(), 0);
  for (const int micros : {3, 3, 3, 900}) lead.add(std::chrono::microseconds(micros));
  EXPECT_EQ(lead.quantile(0.5).count(), 4);
  EXPECT_EQ(lead.quantile(1).count(), 1024);
  EXPECT_EQ(lead.sum().count(), 909);
}

TEST(PrefetchItems, AreInOrderOfNeedWithTheBusiestExpertFirst) {
  auto entries = entries_for(0, {2, 1, 1, /* next layer */ 3, 3, -1});
  entries.layers = 2;
  entries.tokens = 3;
  const std::vector messages{entries, entries_for(0, {2, 2})};  // The second chunk of tokens has its first layer only.
  const auto items = prefetch_items(messages, 1);
  ASSERT_EQ(items.size(), 3U);
  EXPECT_EQ(items[0], (proto::Prefetch::Item{{LayerId{0}, ExpertId{2}}, 3}));
  EXPECT_EQ(items[1], (proto::Prefetch::Item{{LayerId{0}, ExpertId{1}}, 2}));
  EXPECT_EQ(items[2], (proto::Prefetch::Item{{LayerId{1}, ExpertId{3}}, 2}));
}

TEST(HashTableEntries, CameTooLateWhenTheirStepIsOver) {
  constexpr std::int32_t kEncoderLayers = 2;
  const auto source = entries_for(0, {1, 2});
  EXPECT_FALSE(came_too_late(source, kEncoderLayers, {.encoded = false, .decoded_tokens = 0}));
  EXPECT_TRUE(came_too_late(source, kEncoderLayers, {.encoded = true, .decoded_tokens = 0}));
  auto target = entries_for(2, {1});
  target.first_token = 3;
  EXPECT_FALSE(came_too_late(target, kEncoderLayers, {.encoded = true, .decoded_tokens = 3}));
  EXPECT_TRUE(came_too_late(target, kEncoderLayers, {.encoded = true, .decoded_tokens = 4}));
}

TEST(PrefetchItems, AreOfTheBestKOnly) {
  const std::vector messages{entries_for(0, {2, 1, 0}, 3)};
  EXPECT_EQ(prefetch_items(messages, 1).size(), 1U);
  EXPECT_EQ(prefetch_items(messages, 2).size(), 2U);
}

}  // namespace
}  // namespace sida::router

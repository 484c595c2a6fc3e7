#include "router/core/prediction_tracker.h"

#include <gtest/gtest.h>

#include <array>

namespace sida::router {
namespace {

constexpr SequenceId kSequence{5};

// Two encoder layers, one decoder layer, four experts.
PredictionTracker tracker_of_three_layers() {
  return {2, 3, 4};
}

proto::HashTableEntries entries_for(std::int32_t layer, std::vector<std::int16_t> experts) {
  proto::HashTableEntries entries{.sequence = kSequence, .first_layer = LayerId{layer}, .layers = 1};
  entries.tokens = static_cast<std::uint32_t>(experts.size());
  entries.confidences.assign(experts.size(), 1.0F);
  entries.experts = std::move(experts);
  return entries;
}

TEST(PredictionTracker, CountsAgreementPerLayer) {
  auto tracker = tracker_of_three_layers();
  tracker.expect(kSequence, 3);
  ASSERT_TRUE(tracker.add(entries_for(1, {0, 1, -1})));
  RoutingReport report;
  tracker.compare(kSequence, LayerId{1}, 0, std::array{0, 2, 3}, report);
  EXPECT_EQ(report.routed, 3U);
  EXPECT_EQ(report.predicted, 2U);  // The third had no prediction.
  EXPECT_EQ(report.agreed, 1U);
  EXPECT_EQ(tracker.layers()[1].agreed, 1U);
  EXPECT_EQ(tracker.layers()[0].predicted, 0U);
}

TEST(PredictionTracker, DecoderEntriesGrowTokenByToken) {
  auto tracker = tracker_of_three_layers();
  tracker.expect(kSequence, 3);
  auto later = entries_for(2, {3});
  later.first_token = 4;
  ASSERT_TRUE(tracker.add(later));
  RoutingReport report;
  tracker.compare(kSequence, LayerId{2}, 4, std::array{3}, report);
  EXPECT_EQ(report.agreed, 1U);
}

TEST(PredictionTracker, KeepsNothingThatDoesNotFit) {
  auto tracker = tracker_of_three_layers();
  EXPECT_FALSE(tracker.add(entries_for(0, {0})));  // Unknown sequence.
  tracker.expect(kSequence, 3);
  EXPECT_FALSE(tracker.add(entries_for(3, {0})));           // Unknown layer.
  EXPECT_FALSE(tracker.add(entries_for(0, {4})));           // Unknown expert.
  EXPECT_FALSE(tracker.add(entries_for(0, {0, 0, 0, 0})));  // More tokens than the source has.
  tracker.forget(kSequence);
  EXPECT_FALSE(tracker.add(entries_for(0, {0})));
}

TEST(PrefetchItems, AreInOrderOfNeedWithTheBusiestExpertFirst) {
  auto entries = entries_for(0, {2, 1, 1, /* next layer */ 3, 3, -1});
  entries.layers = 2;
  entries.tokens = 3;
  const auto items = prefetch_items(entries);
  ASSERT_EQ(items.size(), 3U);
  EXPECT_EQ(items[0], (proto::Prefetch::Item{{LayerId{0}, ExpertId{1}}, 2}));
  EXPECT_EQ(items[1], (proto::Prefetch::Item{{LayerId{0}, ExpertId{2}}, 1}));
  EXPECT_EQ(items[2], (proto::Prefetch::Item{{LayerId{1}, ExpertId{3}}, 2}));
}

}  // namespace
}  // namespace sida::router

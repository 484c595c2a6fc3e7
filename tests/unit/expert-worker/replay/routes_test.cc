#include "expert-worker/replay/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace sida::worker::replay {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr ExpertId kE0{0};
constexpr ExpertId kE1{1};
constexpr ExpertId kE2{2};

trace::TracedLayer served(std::vector<std::int16_t> experts) {
  return {.gate = experts, .served = experts, .top_experts = {}, .top_log_probabilities = {}};
}

TEST(Routes, AreTheStepsOfATracedSequence) {
  const trace::TraceHeader header{.num_experts = 4, .encoder_layers = 1, .decoder_layers = 2};
  const trace::TracedSequence sequence{.source = {7, 8, 9, 1},
                                       .target = {5, 1},
                                       .encoder = {served({2, -1, 1, 2})},
                                       .decoder = {served({0, 1}), served({1, -1})}};
  Routes routes = routes_of(header);
  append(header, sequence, routes);
  EXPECT_EQ(routes.moe_layers, 3);
  ASSERT_THAT(routes.sequences, SizeIs(1));
  const auto& steps = routes.sequences[0];
  ASSERT_THAT(steps, SizeIs(3));
  EXPECT_FALSE(steps[0].decoder);
  EXPECT_THAT(steps[0].calls[0].needs, ElementsAre(Need{kE1, 1}, Need{kE2, 2})) << "a dropped token needs none";
  EXPECT_TRUE(steps[1].decoder);
  EXPECT_EQ(steps[1].calls[0].layer, LayerId{1});
  EXPECT_THAT(steps[1].calls[0].needs, ElementsAre(Need{kE0, 1}));
  EXPECT_THAT(steps[2].calls[1].needs, IsEmpty());
}

TEST(Routes, ArePredictedWithTheAccuracyAskedFor) {
  Routes routes = make_up({.experts = 64, .sequences = 40, .source_tokens = 1, .target_tokens = 50, .skew = 0});
  predict(routes, 0.9, 3);
  int right = 0;
  int all = 0;
  for (const auto& sequence : routes.sequences) {
    for (const Step& step : sequence) {
      for (const LayerCall& call : step.calls) {
        ASSERT_THAT(call.predicted, SizeIs(1));
        right += call.predicted == call.needs ? 1 : 0;
        ++all;
      }
    }
  }
  EXPECT_NEAR(static_cast<double>(right) / all, 0.9, 0.02);
}

TEST(Routes, PredictedPerfectlyAreThoseOfTheGate) {
  Routes routes = make_up({});
  predict(routes, 1, 3);
  for (const LayerCall& call : routes.sequences[0][0].calls) {
    EXPECT_THAT(call.predicted, testing::UnorderedElementsAreArray(call.needs));
    EXPECT_TRUE(std::ranges::is_sorted(call.predicted, std::ranges::greater{}, &Need::rows));
  }
}

TEST(Routes, MadeUpAreTheSameForTheSameSeedAndUnevenAsAskedFor) {
  const auto touched = [](const Routes& routes) {
    std::set<std::pair<LayerId, ExpertId>> experts;
    for (const auto& sequence : routes.sequences) {
      for (const Step& step : sequence) {
        for (const LayerCall& call : step.calls) {
          for (const Need& need : call.needs) experts.emplace(call.layer, need.expert);
        }
      }
    }
    return experts;
  };
  const MadeUp even{.experts = 32, .sequences = 2, .skew = 0, .seed = 5};
  const MadeUp uneven{.experts = 32, .sequences = 2, .skew = 3, .seed = 5};
  EXPECT_EQ(touched(make_up(even)), touched(make_up(even)));
  EXPECT_GT(touched(make_up(even)).size(), touched(make_up(uneven)).size());
}

}  // namespace
}  // namespace sida::worker::replay

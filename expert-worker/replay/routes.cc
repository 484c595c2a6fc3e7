#include "expert-worker/replay/routes.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <span>

namespace sida::worker::replay {
namespace {

using Counts = std::map<ExpertId, std::uint32_t>;

std::vector<Need> by_expert(const Counts& counts) {
  std::vector<Need> needs;
  for (const auto& [expert, rows] : counts) needs.push_back({expert, rows});
  return needs;
}

LayerCall call_of(LayerId layer, std::span<const std::int16_t> served) {
  Counts counts;
  for (const std::int16_t expert : served) {
    if (expert >= 0) ++counts[ExpertId{expert}];
  }
  return {.layer = layer, .needs = by_expert(counts), .predicted = {}};
}

// In [0, 1), the same on every machine.
double uniform(std::mt19937_64& random) {
  return static_cast<double>(random() >> 11U) * 0x1p-53;
}

// Draws experts of one layer; every layer has other favourites.
class Favourites {
 public:
  Favourites(std::int32_t experts, double skew, std::mt19937_64& random) {
    double sum = 0;
    for (std::int32_t expert = 0; expert < experts; ++expert) {
      order_.push_back(expert);
      sum += std::pow(1.0 / (1 + expert), skew);
      until_.push_back(sum);
    }
    for (std::size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[random() % i]);
  }
  std::int16_t draw(std::mt19937_64& random) const {
    const auto found = std::ranges::upper_bound(until_, uniform(random) * until_.back());
    const auto rank = std::min<std::ptrdiff_t>(found - until_.begin(), std::ssize(order_) - 1);
    return static_cast<std::int16_t>(order_[static_cast<std::size_t>(rank)]);
  }

 private:
  std::vector<std::int32_t> order_;
  std::vector<double> until_;  // Sums of the weights.
};

Step made_up_step(bool decoder, std::span<const Favourites> layers, std::size_t first_layer, std::uint32_t tokens,
                  std::mt19937_64& random) {
  Step step{.decoder = decoder, .calls = {}};
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    std::vector<std::int16_t> served(tokens);
    for (std::int16_t& expert : served) expert = layers[layer].draw(random);
    step.calls.push_back(call_of(LayerId{static_cast<std::int32_t>(first_layer + layer)}, served));
  }
  return step;
}

}  // namespace

Routes routes_of(const trace::TraceHeader& header) {
  return {.moe_layers = header.encoder_layers + header.decoder_layers,
          .experts_per_layer = header.num_experts,
          .sequences = {}};
}

void append(const trace::TraceHeader& header, const trace::TracedSequence& sequence, Routes& routes) {
  std::vector<Step>& steps = routes.sequences.emplace_back();
  Step& encoder = steps.emplace_back();
  for (std::size_t layer = 0; layer < sequence.encoder.size(); ++layer) {
    encoder.calls.push_back(call_of(LayerId{static_cast<std::int32_t>(layer)}, sequence.encoder[layer].served));
  }
  for (std::size_t token = 0; token < sequence.target.size(); ++token) {
    Step& step = steps.emplace_back();
    step.decoder = true;
    for (std::size_t layer = 0; layer < sequence.decoder.size(); ++layer) {
      const LayerId id{header.encoder_layers + static_cast<std::int32_t>(layer)};
      step.calls.push_back(call_of(id, std::span(sequence.decoder[layer].served).subspan(token, 1)));
    }
  }
}

Routes make_up(const MadeUp& how) {
  std::mt19937_64 random(how.seed);
  Routes routes{
      .moe_layers = how.encoder_layers + how.decoder_layers, .experts_per_layer = how.experts, .sequences = {}};
  std::vector<Favourites> layers;
  for (std::int32_t layer = 0; layer < routes.moe_layers; ++layer) layers.emplace_back(how.experts, how.skew, random);
  const auto encoder_layers = static_cast<std::size_t>(how.encoder_layers);
  const std::span all(layers);
  for (std::size_t index = 0; index < how.sequences; ++index) {
    std::vector<Step>& steps = routes.sequences.emplace_back();
    steps.push_back(made_up_step(false, all.first(encoder_layers), 0, how.source_tokens, random));
    for (std::uint32_t token = 0; token < how.target_tokens; ++token) {
      steps.push_back(made_up_step(true, all.subspan(encoder_layers), encoder_layers, 1, random));
    }
  }
  return routes;
}

void predict(Routes& routes, double accuracy, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto others = static_cast<std::uint64_t>(std::max(1, routes.experts_per_layer - 1));
  const auto predicted_for = [&](ExpertId expert) {
    if (routes.experts_per_layer < 2 || uniform(random) < accuracy) return expert;
    const auto shift = static_cast<std::int32_t>(1 + random() % others);
    return ExpertId{(expert.value + shift) % routes.experts_per_layer};
  };
  for (std::vector<Step>& sequence : routes.sequences) {
    for (Step& step : sequence) {
      for (LayerCall& call : step.calls) {
        Counts counts;
        for (const Need& need : call.needs) {
          for (std::uint32_t row = 0; row < need.rows; ++row) ++counts[predicted_for(need.expert)];
        }
        call.predicted = by_expert(counts);
        std::ranges::stable_sort(call.predicted, std::ranges::greater{}, &Need::rows);
      }
    }
  }
}

}  // namespace sida::worker::replay

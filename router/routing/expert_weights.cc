#include "router/routing/expert_weights.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace sida::router {
namespace {

// SiDA-MoE's default factors; its repository at 7528828.
constexpr std::array kPublishedFactors{0.5F, 0.25F, 0.25F};

// In proportion, together as much as the greatest.
void renormalise(std::span<float> weights) {
  float sum = 0;
  float greatest = 0;
  for (const float weight : weights) {
    sum += weight;
    greatest = std::max(greatest, weight);
  }
  if (sum <= 0) return;
  for (float& weight : weights) weight = greatest * (weight / sum);
}

}  // namespace

void weigh_by_confidence(TableWeights how, std::span<const std::int16_t> experts, std::span<const float> confidences,
                         std::span<float> weights) {
  for (std::size_t rank = 0; rank < weights.size(); ++rank) weights[rank] = experts[rank] < 0 ? 0 : confidences[rank];
  if (how != TableWeights::kPublished) return renormalise(weights);
  for (std::size_t rank = 0; rank < weights.size(); ++rank) {
    weights[rank] *= rank < kPublishedFactors.size() ? kPublishedFactors[rank] : 0.0F;
  }
}

void weigh_by_gate(std::span<const std::int32_t> experts, std::span<const float> probabilities, std::int32_t choice,
                   std::span<float> weights) {
  const auto probability = [&](std::int32_t expert) {
    return expert < 0 ? 0.0F : probabilities[static_cast<std::size_t>(expert)];
  };
  const auto chosen = std::ranges::find(experts, choice);
  if (chosen != experts.end()) {
    std::ranges::fill(weights, 0.0F);
    weights[static_cast<std::size_t>(chosen - experts.begin())] = probability(choice);
    return;
  }
  for (std::size_t rank = 0; rank < weights.size(); ++rank) weights[rank] = probability(experts[rank]);
  renormalise(weights);
}

}  // namespace sida::router

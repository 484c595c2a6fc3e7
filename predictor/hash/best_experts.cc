#include "predictor/hash/best_experts.h"

#include <algorithm>
#include <cmath>

namespace sida::predictor {

void best_experts(std::span<const float> logits, std::span<std::int16_t> experts, std::span<float> confidences) {
  std::fill(experts.begin(), experts.end(), std::int16_t{-1});
  std::fill(confidences.begin(), confidences.end(), 0.0F);
  std::size_t found = 0;
  for (std::size_t expert = 0; expert < logits.size(); ++expert) {
    const float logit = logits[expert];
    if (!std::isfinite(logit)) continue;
    // Insertion into the few best so far; confidences hold their logits for now.
    std::size_t rank = found;
    while (rank > 0 && logit > confidences[rank - 1]) --rank;
    if (rank == experts.size()) continue;
    found = std::min(found + 1, experts.size());
    for (std::size_t i = found - 1; i > rank; --i) {
      experts[i] = experts[i - 1];
      confidences[i] = confidences[i - 1];
    }
    experts[rank] = static_cast<std::int16_t>(expert);
    confidences[rank] = logit;
  }
  if (found == 0) return;
  const float largest = confidences[0];
  float sum = 0;
  for (const float logit : logits) {
    if (std::isfinite(logit)) sum += std::exp(logit - largest);
  }
  for (std::size_t i = 0; i < found; ++i) confidences[i] = std::exp(confidences[i] - largest) / sum;
}

}  // namespace sida::predictor

// From a gate's logits to the likeliest experts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sida::predictor {

// The `experts.size()` likeliest, best first, the lower expert first among equals, each with its share of the softmax
// over all logits. Where there are fewer logits, the rest is -1 with confidence 0. Logits that are not finite count as
// the least likely; where none is finite, there is no prediction.
void best_experts(std::span<const float> logits, std::span<std::int16_t> experts, std::span<float> confidences);

}  // namespace sida::predictor

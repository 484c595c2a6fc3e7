// What scales the answers of a row's experts where the hash table chose them. Pure.
#pragma once

#include <cstdint>
#include <span>

#include "router/routing/routing_options.h"

namespace sida::router {

// From the entries alone. All spans have k elements; experts[i] is -1 from some rank on, whose weights become 0.
// `how` is kPublished or kRenormalised. With one expert, kRenormalised is its confidence to the last bit.
void weigh_by_confidence(TableWeights how, std::span<const std::int16_t> experts, std::span<const float> confidences,
                         std::span<float> weights);

// From the gate's probabilities of all experts of the layer, each rounded to the model's dtype, and its choice. Where
// the choice is among the experts, it alone counts, with its own probability: the row's answer is then the model's to
// the last bit. Else all count in proportion to their probabilities, together as much as the best of them.
void weigh_by_gate(std::span<const std::int32_t> experts, std::span<const float> probabilities, std::int32_t choice,
                   std::span<float> weights);

}  // namespace sida::router

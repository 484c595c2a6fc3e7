// Keeps the largest of a gate's probabilities.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "router/core/gate_record.h"

namespace sida::router {

// Of `rows` rows; `asked` [n] names, in order, those that the gate was asked about, with its `choice` [n] and
// `probabilities` [n, experts], experts at most 32768. Of the others every expert is -1.
GateRecord record_gate(std::size_t rows, std::span<const std::int32_t> asked, std::span<const std::int32_t> choice,
                       std::span<const float> probabilities);

// Of a layer with hash routing, which has no gate: the expert of each row has all the probability, then the others
// follow by id.
GateRecord record_certain(std::span<const std::int32_t> choice, std::size_t experts);

}  // namespace sida::router

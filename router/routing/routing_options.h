// What an operator may set about routing by the hash table. Plain data.
#pragma once

#include <chrono>
#include <cstdint>

#include "router/routing/routing_mode.h"

namespace sida::router {

// What scales the answers of the experts that the table chose.
enum class TableWeights : std::uint8_t {
  kPublished,     // Confidence times 0.5, 0.25, 0.25 in order of rank, as SiDA-MoE (Du et al., MLSys 2024).
  kRenormalised,  // In proportion to the confidences; together the best one's, as the gate's single weight is.
  kGate,          // The gate's own probabilities, computed while the experts compute.
};

struct RoutingOptions {
  RoutingMode mode = RoutingMode::kExact;      // Of requests that name none.
  std::int32_t top_k = 1;                      // Experts per token that the table chooses, 1 to 3.
  TableWeights weights = TableWeights::kGate;  // Measured best: docs/decisions/0003-routing-by-the-table.md.
  float gated_confidence = 0.9F;               // In gated mode the table decides from here on.
  std::chrono::milliseconds table_wait{100};   // A step waits so long for entries; then the gate decides for them.
  double agreement_share = 0.1;                // Of the rows that the table decides: those the gate is asked about too.
};

}  // namespace sida::router

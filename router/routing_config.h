// The flags of routing by the hash table.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "common/config/schema.h"
#include "router/routing/routing_options.h"

namespace sida::router {

struct RoutingConfig {
  std::string routing = "exact";              // Of requests that name none.
  std::int64_t predicted_top_k = 1;           // Experts per token that the table chooses.
  std::string predicted_weights = "gate";     // published, renormalised or gate.
  double gated_confidence = 0.9;              // In gated mode the table decides from here on.
  std::chrono::milliseconds table_wait{100};  // For entries, before a step; 0: none.
  double agreement_share = 0.1;               // Of the rows that the table decides: those the gate is asked about too.
};

// `config` must outlive the schema.
void describe_routing(config::Schema& schema, RoutingConfig& config);

// Of a configuration that its schema accepted.
RoutingOptions routing_options(const RoutingConfig& config);

}  // namespace sida::router

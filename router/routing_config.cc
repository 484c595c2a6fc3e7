#include "router/routing_config.h"

#include <algorithm>
#include <array>

namespace sida::router {
namespace {

// In the order of TableWeights.
constexpr std::array kWeightNames{"published", "renormalised", "gate"};

}  // namespace

void describe_routing(config::Schema& schema, RoutingConfig& c) {
  schema.choice(
      "routing", c.routing, {kRoutingModeNames.begin(), kRoutingModeNames.end()},
      "who chooses experts where a request does not say: the gate, the hash table where it is sure, the table");
  schema.integer("predicted-top-k", c.predicted_top_k, {1, 3}, "experts per token that the hash table chooses");
  schema.choice(
      "predicted-weights", c.predicted_weights, {kWeightNames.begin(), kWeightNames.end()},
      "what scales their answers: confidences times 0.5, 0.25, 0.25; confidences; or the gate's probabilities");
  schema.number("gated-confidence", c.gated_confidence, 0, 1,
                "least confidence with which the table decides in gated mode");
  schema.duration("table-wait", c.table_wait, "a step waits for its hash-table entries; then the gate decides")
      .zero_means("no wait");
  schema.number("agreement-share", c.agreement_share, 0, 1,
                "share of the rows decided by the table for which the gate is asked too, to measure their agreement");
}

RoutingOptions routing_options(const RoutingConfig& c) {
  const auto weights = std::ranges::find(kWeightNames, c.predicted_weights) - kWeightNames.begin();
  return {.mode = parse_routing_mode(c.routing).value_or(RoutingMode::kExact),
          .top_k = static_cast<std::int32_t>(c.predicted_top_k),
          .weights = static_cast<TableWeights>(weights),
          .gated_confidence = static_cast<float>(c.gated_confidence),
          .table_wait = c.table_wait,
          .agreement_share = c.agreement_share};
}

}  // namespace sida::router

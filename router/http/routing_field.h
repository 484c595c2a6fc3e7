// The `routing` field of a request.
#pragma once

#include <optional>

#include "router/http/json_fields.h"
#include "router/routing/routing_mode.h"

namespace sida::router {

// Nothing when the client leaves it to the router; anything but a mode is a problem of `fields`.
inline std::optional<RoutingMode> read_routing(JsonFields& fields) {
  const std::string text = fields.text("routing", "");
  if (text.empty()) return std::nullopt;
  const auto mode = parse_routing_mode(text);
  if (!mode) fields.problem({400, "invalid_argument", "routing must be exact, gated or predicted", "routing"});
  return mode;
}

}  // namespace sida::router

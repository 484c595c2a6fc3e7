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

// `return_gates`: what the gates think is told where they choose, so it makes `routing` exact and refuses another.
inline bool read_return_gates(JsonFields& fields, std::optional<RoutingMode>& routing) {
  if (!fields.boolean("return_gates", false)) return false;
  if (routing.value_or(RoutingMode::kExact) != RoutingMode::kExact) {
    fields.problem({400, "invalid_argument", "return_gates needs routing exact", "return_gates"});
  }
  routing = RoutingMode::kExact;
  return true;
}

}  // namespace sida::router

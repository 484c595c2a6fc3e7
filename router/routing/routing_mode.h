// Who chooses a token's experts. docs/api.md says what a client may expect of each.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sida::router {

enum class RoutingMode : std::uint8_t {
  kExact,      // The gate; the hash table only moves weights. Output is the model's.
  kGated,      // The hash table where it is confident enough, else the gate.
  kPredicted,  // The hash table; the gate only where there was no entry in time.
};

inline constexpr std::array<std::string_view, 3> kRoutingModeNames{"exact", "gated", "predicted"};

inline std::string_view name(RoutingMode mode) {
  return kRoutingModeNames.at(static_cast<std::size_t>(mode));
}

inline std::optional<RoutingMode> parse_routing_mode(std::string_view text) {
  for (std::size_t index = 0; index < kRoutingModeNames.size(); ++index) {
    if (kRoutingModeNames[index] == text) return static_cast<RoutingMode>(index);
  }
  return std::nullopt;
}

}  // namespace sida::router

// What the gates thought of each token, as `return_gates` asks for it.
#pragma once

#include <nlohmann/json.hpp>

#include "router/core/request.h"

namespace sida::router {

// {"top": k, "encoder": [one per MoE layer], "decoder": […]}; a layer is {"choice", "experts", "probabilities"}: base64
// of little-endian int16 [tokens], int16 [tokens, top], fp32 [tokens, top]. Text of numbers would be five times longer.
nlohmann::json gates_json(const RoutingReport& report);

}  // namespace sida::router

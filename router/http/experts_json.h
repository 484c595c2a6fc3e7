// Every expert by itself, as GET /status?experts=1 tells it.
#pragma once

#include <nlohmann/json.hpp>

#include "router/core/request.h"

namespace sida::router {

// `rows`: per MoE layer the rows that each expert served since start. `resident`: per worker and MoE layer the ids of
// the experts in its memory. Both are null for a model with more than ExpertRows::kCountedMax experts; below that the
// text is at most about 15 bytes an expert and worker.
nlohmann::json experts_json(const RouterStatus& status);

}  // namespace sida::router

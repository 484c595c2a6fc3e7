// The router's status as JSON: GET /health on the public port, GET /status on the admin port.
#pragma once

#include <nlohmann/json.hpp>

#include "router/core/request.h"
#include "router/http/reply.h"

namespace sida::router {

// 200 when a request sent now would be served; 503 with a reason and a percentage otherwise.
Reply health_reply(const RouterStatus& status);

// `processes`, `workers`, `predictors`, `agreement` (share of predicted entries that the gate confirmed; null when
// none), `hit_rate` (share of expert lookups in workers that found the expert resident; null when none), `latency_ms`
// of ServingTimes, and the counters. Bounded: about 700 bytes a layer and 400 a process.
nlohmann::json status_json(const RouterStatus& status);

}  // namespace sida::router

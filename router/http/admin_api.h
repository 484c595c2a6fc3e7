// The endpoints of the admin port: /metrics, /status and a page that shows the cluster.
#pragma once

#include "router/core/request.h"
#include "router/http/http_request.h"
#include "router/http/metrics.h"
#include "router/http/reply.h"

namespace sida::router {

// Answers every request, from snapshots; what a supervisor tells is passed on to the engine.
Reply answer_admin(const HttpRequest& request, Engine& engine, const HttpProbe& probe);

}  // namespace sida::router

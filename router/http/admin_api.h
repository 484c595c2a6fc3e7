// The endpoints of the admin port: /metrics, /status and a page that shows the cluster.
#pragma once

#include "router/core/request.h"
#include "router/http/http_request.h"
#include "router/http/metrics.h"
#include "router/http/reply.h"

namespace sida::router {

// Pure but for the two snapshots. Answers every request.
Reply answer_admin(const HttpRequest& request, const Engine& engine, const HttpProbe& probe);

}  // namespace sida::router

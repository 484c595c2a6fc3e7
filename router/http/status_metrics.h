// The router's status as Prometheus metric families. docs/metrics.md explains each.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "router/core/request.h"

namespace sida::router {

std::vector<prometheus::MetricFamily> status_families(const RouterStatus& status);

}  // namespace sida::router

#include "router/dispatch/part_planner.h"

#include <algorithm>
#include <tuple>

#include "common/base/result.h"

namespace sida::router {

std::vector<PartPlan> plan_parts(std::vector<RowRoute> routes, std::size_t rows_max) {
  SIDA_CHECK(rows_max > 0);
  std::ranges::sort(routes, {}, [](const RowRoute& route) { return std::tie(route.expert, route.row); });
  std::vector<PartPlan> parts;
  for (const RowRoute& route : routes) {
    if (parts.empty() || parts.back().rows.size() == rows_max) parts.emplace_back();
    PartPlan& part = parts.back();
    if (part.groups.empty() || part.groups.back().expert != route.expert) part.groups.push_back({route.expert, 0});
    ++part.groups.back().rows;
    part.rows.push_back(route.row);
  }
  return parts;
}

}  // namespace sida::router

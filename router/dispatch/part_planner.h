// Groups rows for one worker by expert and splits them into parts. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/ids.h"
#include "common/proto/messages.h"

namespace sida::router {

struct RowRoute {
  std::int32_t row = 0;
  ExpertId expert;
};

struct PartPlan {
  std::vector<proto::Dispatch::Group> groups;  // Ascending by expert.
  std::vector<std::int32_t> rows;              // In the order of the groups; ascending within one.
};

// Every route lands in exactly one part. A part has at most `rows_max` rows (>= 1); a group may be cut.
std::vector<PartPlan> plan_parts(std::vector<RowRoute> routes, std::size_t rows_max);

}  // namespace sida::router

// What every job has, whatever its work, and how one ends with the router.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "router/core/request.h"

namespace sida::router {

inline const std::vector<std::int32_t>& source_of(const Job& job) {
  return std::visit([](const auto& work) -> const std::vector<std::int32_t>& { return work.input_ids; }, job.work);
}

// How jobs end that are open when the router ends.
inline Error stopping_error() {
  return {ErrorCode::kUnavailable, "the router is shutting down; send the request again later"};
}

}  // namespace sida::router

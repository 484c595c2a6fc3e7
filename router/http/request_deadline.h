// How long a request may take.
#pragma once

#include <algorithm>
#include <chrono>

#include "router/http/http_options.h"
#include "router/http/http_request.h"
#include "router/http/reply.h"

namespace sida::router {

// From accepted to answered: what X-Request-Timeout-Ms says, at most the server's own time; that where it says nothing.
// Anything but 1 to 15 digits above 0 is refused.
inline ApiResult<std::chrono::milliseconds> time_allowed(const HttpRequest& request, const HttpLimits& limits) {
  if (!request.deadline) return limits.request_timeout;
  const std::string& text = *request.deadline;
  const bool digits = !text.empty() && text.size() <= 15 &&
                      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || std::stoll(text) == 0) {
    return refuse("X-Request-Timeout-Ms", "X-Request-Timeout-Ms must be a whole number of milliseconds above 0");
  }
  return std::min(limits.request_timeout, std::chrono::milliseconds(std::stoll(text)));
}

}  // namespace sida::router

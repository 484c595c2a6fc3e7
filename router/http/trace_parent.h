// The W3C `traceparent` header, which a request's messages carry on.
#pragma once

#include <string_view>

#include "common/proto/messages.h"

namespace sida::router {

// All zero (no trace) unless the header is well-formed: 00-<32 hex>-<16 hex>-<2 hex>.
proto::TraceContext parse_trace_parent(std::string_view header);

}  // namespace sida::router

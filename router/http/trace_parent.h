// The W3C `traceparent` header, which a request's messages carry on.
#pragma once

#include <string>
#include <string_view>

#include "common/proto/messages.h"

namespace sida::router {

// All zero (no trace) unless the header is well-formed: 00-<32 hex>-<16 hex>-<2 hex>.
proto::TraceContext parse_trace_parent(std::string_view header);

// 32 hexadecimal digits, or "-" when there is no trace.
std::string trace_id_text(const proto::TraceContext& context);

}  // namespace sida::router

// What the public port offers, for programs.
#pragma once

#include <string_view>

namespace sida::router {

// The text of pages/openapi.json, compiled in. Valid for ever.
std::string_view openapi_text();

}  // namespace sida::router

// Which build this is, for `sida version`, GET /version and Hello messages.
#pragma once

#include <string_view>

namespace sida {

std::string_view version();   // "0.1.0"
std::string_view commit();    // Short hash of the sources when they were configured; "unknown" outside git.
std::string_view compiler();  // "GNU 12.2.0, Release"

}  // namespace sida

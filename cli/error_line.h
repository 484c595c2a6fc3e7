// "error: <code>: <message>", the one line in which sida's programs end when they fail.
#pragma once

#include <optional>
#include <string>

#include "common/base/result.h"

namespace sida::cli {

// Nothing when the line is no such line. kInternal when it names no code of ours.
std::optional<Error> parse_error_line(const std::string& line);
// The code whose stable name this is.
std::optional<ErrorCode> error_code_named(const std::string& name);

}  // namespace sida::cli

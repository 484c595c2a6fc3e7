// Where log lines go and what they look like. Code that logs calls spdlog directly: fixed text, then key=value.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"

namespace sida {

// "trace", "debug", "info", "warn", "error", "off": the choices of --log-level.
const std::vector<std::string>& log_levels();

// "text", "json": the choices of --log-format.
const std::vector<std::string>& log_formats();

// One line per event on stderr: "2026-11-24T09:00:00.123Z info worker-0 ready endpoint=...", or the same as JSON
// (json_formatter.h). Call once, in main, before threads. kInvalidArgument for an unknown level or format.
Result<void> start_logging(const std::string& process_name, const std::string& level,
                           const std::string& format = "text");

}  // namespace sida

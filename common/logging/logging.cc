#include "common/logging/logging.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>

#include "common/logging/json_formatter.h"

namespace sida {

const std::vector<std::string>& log_levels() {
  static const std::vector<std::string> levels{"trace", "debug", "info", "warn", "error", "off"};
  return levels;
}

const std::vector<std::string>& log_formats() {
  static const std::vector<std::string> formats{"text", "json"};
  return formats;
}

Result<void> start_logging(const std::string& process_name, const std::string& level, const std::string& format) {
  const auto& levels = log_levels();
  if (std::find(levels.begin(), levels.end(), level) == levels.end()) {
    return fail(ErrorCode::kInvalidArgument,
                "log level '" + level + "': use one of trace, debug, info, warn, error, off");
  }
  if (std::find(log_formats().begin(), log_formats().end(), format) == log_formats().end()) {
    return fail(ErrorCode::kInvalidArgument, "log format '" + format + "': use text or json");
  }
  auto logger = spdlog::stderr_logger_mt(process_name);
  logger->set_level(spdlog::level::from_str(level));
  if (format == "json") {
    logger->set_formatter(std::make_unique<JsonFormatter>());
  } else {
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %n %v", spdlog::pattern_time_type::utc);
  }
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  return {};
}

}  // namespace sida

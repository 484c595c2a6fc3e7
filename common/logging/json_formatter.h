// Log lines as JSON, for programs that collect logs.
#pragma once

#include <spdlog/formatter.h>

#include <memory>
#include <string>

namespace sida {

// One object a line: time, level, process, message (the fixed text of the line), and each key=value of the line as a
// field of its own; numbers as numbers. A key that is one of the four, or comes twice, gets "_" before it.
class JsonFormatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& line) override;
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override;
};

}  // namespace sida

#include "cli/status_screen.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <sstream>
#include <vector>

namespace sida::cli {
namespace {

using nlohmann::json;

std::optional<double> number(const json& object, std::initializer_list<const char*> path) {
  const json* at = &object;
  for (const char* name : path) {
    if (!at->is_object() || !at->contains(name)) return std::nullopt;
    at = &(*at)[name];
  }
  return at->is_number() ? std::optional(at->get<double>()) : std::nullopt;
}

std::string text_of(std::optional<double> value, const char* format) {
  if (!value) return "-";
  char text[48];
  std::snprintf(text, sizeof text, format, *value);
  return text;
}

std::string percent(const json& status, const char* name) {
  const auto share = number(status, {name});
  return text_of(share ? std::optional(100 * *share) : std::nullopt, "%.1f %%");
}

std::string tokens_per_second(const json& status, const json& earlier, std::chrono::duration<double> between) {
  const auto now = number(status, {"tokens", "generation"});
  const auto then = number(earlier, {"tokens", "generation"});
  // Fewer than before: another router.
  if (!now || !then || *now < *then || between.count() <= 0) return "-";
  return text_of((*now - *then) / between.count(), "%.1f");
}

// Bytes that continue a character of UTF-8 take no column; control characters could move the cursor.
std::string fit(const std::string& line, std::size_t columns) {
  std::string kept;
  std::size_t used = 0;
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    const bool continues = (byte & 0xC0U) == 0x80U;
    used += continues ? 0 : 1;
    if (used > columns) break;
    kept += byte < 0x20U || byte == 0x7FU ? '?' : c;
  }
  return kept;
}

}  // namespace

std::string status_line(const json& status, const json& earlier, std::chrono::duration<double> between) {
  const bool told = status.is_object() && status.contains("ready") && status["ready"].is_boolean();
  const bool is_ready = told && status["ready"].get<bool>();
  return std::string(is_ready ? "ready" : "not ready") + "  running " +
         text_of(number(status, {"requests", "running"}), "%.0f") + "  waiting " +
         text_of(number(status, {"requests", "waiting"}), "%.0f") + "  tokens/s " +
         tokens_per_second(status, earlier, between) + "  hit rate " + percent(status, "hit_rate") + "  agreement " +
         percent(status, "agreement") + "  finished " + text_of(number(status, {"requests", "finished"}), "%.0f") +
         "  failed " + text_of(number(status, {"requests", "failed"}), "%.0f");
}

std::string screen_of(const std::string& text, ScreenSize size) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  const std::size_t rows = std::max<std::size_t>(size.rows, 2);
  if (lines.size() > rows) {
    const std::size_t missing = lines.size() - (rows - 1);
    lines.resize(rows - 1);
    lines.push_back("... " + std::to_string(missing) + " more lines");
  }
  std::string screen = "\033[H";
  for (std::size_t row = 0; row < lines.size(); ++row) {
    screen += (row == 0 ? "" : "\r\n") + fit(lines[row], size.columns) + "\033[K";
  }
  return screen + "\033[J";
}

}  // namespace sida::cli

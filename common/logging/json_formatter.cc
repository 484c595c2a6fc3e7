#include "common/logging/json_formatter.h"

#include <array>
#include <charconv>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>
#include <string_view>

namespace sida {
namespace {

using nlohmann::ordered_json;

bool is_key_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

// Where the first " key=" begins, from `from` on; npos: nowhere.
std::size_t find_pair(std::string_view text, std::size_t from) {
  for (std::size_t at = from; at < text.size(); ++at) {
    if (at > 0 && text[at - 1] != ' ') continue;
    std::size_t end = at;
    while (end < text.size() && is_key_character(text[end])) ++end;
    if (end > at && end < text.size() && text[end] == '=') return at;
  }
  return std::string_view::npos;
}

// The value at `at`: up to the closing quote if it opens with one, else up to the next space. Moves `at` behind it.
std::string_view take_value(std::string_view text, std::size_t& at) {
  const bool quoted = at < text.size() && text[at] == '"';
  const std::size_t begin = at + (quoted ? 1 : 0);
  std::size_t end = text.find(quoted ? '"' : ' ', begin);
  if (end == std::string_view::npos) end = text.size();
  at = std::min(text.size(), end + (quoted ? 1 : 0));
  return text.substr(begin, end - begin);
}

ordered_json value_of(std::string_view text) {
  std::int64_t integer = 0;
  const char* const end = text.data() + text.size();
  if (std::from_chars(text.data(), end, integer).ptr == end && !text.empty()) return integer;
  double number = 0;
  const auto parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec == std::errc() && parsed.ptr == end && std::isfinite(number)) return number;
  return std::string(text);
}

void add_pairs(ordered_json& line, std::string_view text) {
  for (std::size_t at = find_pair(text, 0); at != std::string_view::npos; at = find_pair(text, at)) {
    const std::size_t equals = text.find('=', at);
    std::string key(text.substr(at, equals - at));
    at = equals + 1;
    const bool quoted = at < text.size() && text[at] == '"';
    const std::string_view value = take_value(text, at);
    while (line.contains(key)) key.insert(0, "_");
    line[key] = quoted ? ordered_json(std::string(value)) : value_of(value);
  }
}

std::string time_text(spdlog::log_clock::time_point time) {
  const auto since = time.time_since_epoch();
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
  const std::time_t seconds = static_cast<std::time_t>(milliseconds / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 40> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + length, text.size() - length, ".%03dZ", static_cast<int>(milliseconds % 1000));
  return text.data();
}

}  // namespace

void JsonFormatter::format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& line) {
  const std::string_view payload(message.payload.data(), message.payload.size());
  const auto level = spdlog::level::to_string_view(message.level);
  const std::size_t pairs = find_pair(payload, 0);
  std::string_view text = payload.substr(0, pairs);
  while (text.ends_with(' ')) text.remove_suffix(1);
  ordered_json json{{"time", time_text(message.time)},
                    {"level", std::string(level.data(), level.size())},
                    {"process", std::string(message.logger_name.data(), message.logger_name.size())},
                    {"message", std::string(text)}};
  if (pairs != std::string_view::npos) add_pairs(json, payload.substr(pairs));
  const std::string dumped = json.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
  line.append(dumped.data(), dumped.data() + dumped.size());
}

std::unique_ptr<spdlog::formatter> JsonFormatter::clone() const {
  return std::make_unique<JsonFormatter>();
}

}  // namespace sida

#include "common/config/quantity.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

namespace sida::config {
namespace {

struct Unit {
  std::string_view suffix;
  double factor;
};

constexpr double kKi = 1024;
constexpr std::array kSizeUnits{
    Unit{"KiB", kKi},
    Unit{"MiB", kKi* kKi},
    Unit{"GiB", kKi* kKi* kKi},
    Unit{"TiB", kKi* kKi* kKi* kKi},
    Unit{"KB", 1e3},
    Unit{"MB", 1e6},
    Unit{"GB", 1e9},
    Unit{"TB", 1e12},
    Unit{"B", 1},
    Unit{"", 1},
};
constexpr std::array kDurationUnits{Unit{"ms", 1}, Unit{"s", 1e3}, Unit{"m", 60e3}, Unit{"h", 3600e3}};

template <typename T>
std::optional<T> whole(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

// The number before the unit; no sign, no exponent, so that "1e3s" and "-1s" are refused.
std::optional<double> plain_number(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789.") != std::string_view::npos) {
    return std::nullopt;
  }
  return whole<double>(text);
}

template <std::size_t n>
std::optional<double> scaled(std::string_view text, const std::array<Unit, n>& units) {
  for (const Unit& unit : units) {
    if (text.ends_with(unit.suffix)) {
      if (auto value = plain_number(text.substr(0, text.size() - unit.suffix.size()))) {
        return *value * unit.factor;
      }
    }
  }
  return std::nullopt;
}

std::string quoted(std::string_view text) {
  return "'" + std::string(text) + "'";
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
  if (auto bytes = whole<std::uint64_t>(text)) {
    return *bytes;
  }
  const auto bytes = scaled(text, kSizeUnits);
  // 2^63: above any memory, and safely convertible from double.
  if (!bytes || *bytes > 9.2e18) {
    return fail(ErrorCode::kInvalidArgument, quoted(text) + " is not a size (write 512MiB, 8GiB or plain bytes)");
  }
  return static_cast<std::uint64_t>(std::llround(*bytes));
}

std::string format_size(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kSuffixes{"", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < kSuffixes.size()) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + std::string(kSuffixes[unit]);
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  if (text == "0") {
    return std::chrono::milliseconds(0);
  }
  const auto milliseconds = scaled(text, kDurationUnits);
  // 1e15 ms are 30,000 years: enough, and far from overflow when added to a clock.
  if (!milliseconds || *milliseconds > 1e15) {
    return fail(ErrorCode::kInvalidArgument, quoted(text) + " is not a duration (write 250ms, 30s, 5m or 1h)");
  }
  return std::chrono::milliseconds(std::llround(*milliseconds));
}

std::string format_duration(std::chrono::milliseconds duration) {
  const auto count = duration.count();
  if (count == 0) {
    return "0";
  }
  for (const auto& [suffix, factor] : {std::pair{"h", 3600000}, std::pair{"m", 60000}, std::pair{"s", 1000}}) {
    if (count % factor == 0) {
      return std::to_string(count / factor) + suffix;
    }
  }
  return std::to_string(count) + "ms";
}

Result<std::int64_t> parse_integer(std::string_view text) {
  if (auto value = whole<std::int64_t>(text)) {
    return *value;
  }
  return fail(ErrorCode::kInvalidArgument, quoted(text) + " is not a whole number");
}

Result<double> parse_number(std::string_view text) {
  const auto value = whole<double>(text);
  if (value && std::isfinite(*value)) {
    return *value;
  }
  return fail(ErrorCode::kInvalidArgument, quoted(text) + " is not a number");
}

Result<bool> parse_switch(std::string_view text) {
  for (const std::string_view yes : {"true", "yes", "on", "1"}) {
    if (text == yes) {
      return true;
    }
  }
  for (const std::string_view no : {"false", "no", "off", "0"}) {
    if (text == no) {
      return false;
    }
  }
  return fail(ErrorCode::kInvalidArgument, quoted(text) + " is neither true nor false");
}

}  // namespace sida::config

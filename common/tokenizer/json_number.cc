#include "common/tokenizer/json_number.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>

namespace sida::tokenizer {
namespace {

constexpr int kLargestPower = 308;
constexpr int kExponentLimit = 100'000;  // Far beyond any double, and far from overflow.

// Powers of ten, each the double nearest to it.
const std::array<double, kLargestPower + 1>& powers_of_ten() {
  static const auto powers = [] {
    std::array<double, kLargestPower + 1> values{};
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::string text = "1e" + std::to_string(i);
      std::from_chars(text.data(), text.data() + text.size(), values[i]);
    }
    return values;
  }();
  return powers;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// significand * 10^exponent with the roundings in serde_json's order: of the significand, and of one product or
// quotient.
std::optional<double> scaled(std::uint64_t significand, int exponent) {
  double value = static_cast<double>(significand);
  while (value != 0.0 && exponent < -kLargestPower) {
    value /= 1e308;
    exponent += kLargestPower;
  }
  if (value == 0.0) {
    return value;
  }
  if (exponent > kLargestPower) {
    return std::nullopt;
  }
  const double power = powers_of_ten()[static_cast<std::size_t>(std::abs(exponent))];
  value = exponent >= 0 ? value * power : value / power;
  return std::isinf(value) ? std::nullopt : std::optional(value);
}

struct Decimal {
  std::uint64_t significand = 0;
  int exponent = 0;
  bool full = false;  // Another digit did not fit: all later digits of this part are dropped.

  void push(char digit, bool fraction) {
    const auto value = static_cast<std::uint64_t>(digit - '0');
    constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
    full = full || significand > (kMax - value) / 10;
    if (full) {
      exponent += fraction ? 0 : 1;
      return;
    }
    significand = significand * 10 + value;
    exponent -= fraction ? 1 : 0;
  }
};

}  // namespace

std::optional<double> parse_json_number(std::string_view text) {
  std::size_t position = 0;
  const auto peek = [&] { return position < text.size() ? text[position] : '\0'; };
  const bool negative = peek() == '-';
  position += negative ? 1 : 0;
  Decimal decimal;
  for (; is_digit(peek()) && decimal.exponent < kExponentLimit; ++position) {
    decimal.push(peek(), false);
  }
  if (peek() == '.') {
    decimal.full = false;
    for (++position; is_digit(peek()) && decimal.exponent > -kExponentLimit; ++position) {
      decimal.push(peek(), true);
    }
  }
  while (is_digit(peek())) {
    ++position;
  }
  if (peek() == 'e' || peek() == 'E') {
    ++position;
    const bool down = peek() == '-';
    position += down || peek() == '+' ? 1 : 0;
    int exponent = 0;
    for (; is_digit(peek()); ++position) {
      exponent = std::min(exponent * 10 + (peek() - '0'), kExponentLimit);
    }
    decimal.exponent += down ? -exponent : exponent;
  }
  const auto magnitude = scaled(decimal.significand, decimal.exponent);
  if (!magnitude) {
    return std::nullopt;
  }
  return negative ? -*magnitude : *magnitude;
}

}  // namespace sida::tokenizer

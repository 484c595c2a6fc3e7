// Arithmetic on sizes that come from outside: an overflow is an answer, not a wrap.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace sida {

[[nodiscard]] inline std::optional<std::uint64_t> checked_add(std::uint64_t a, std::uint64_t b) {
  std::uint64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::nullopt : std::optional(sum);
}

[[nodiscard]] inline std::optional<std::uint64_t> checked_mul(std::uint64_t a, std::uint64_t b) {
  std::uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? std::nullopt : std::optional(product);
}

// Product of a shape's dimensions; nullopt on overflow or a negative dimension. An empty shape is a scalar: 1.
[[nodiscard]] inline std::optional<std::uint64_t> checked_elements(std::span<const std::int64_t> shape) {
  std::uint64_t elements = 1;
  for (std::int64_t dimension : shape) {
    if (dimension < 0) return std::nullopt;
    auto product = checked_mul(elements, static_cast<std::uint64_t>(dimension));
    if (!product) return std::nullopt;
    elements = *product;
  }
  return elements;
}

}  // namespace sida

// The type alone, for what keeps a fingerprint and does not compute one.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace sida::model {

// fingerprint.h says of what.
using Fingerprint = std::array<std::uint8_t, 32>;

// 64 lower-case hexadecimal digits.
[[nodiscard]] std::string to_hex(const Fingerprint& fingerprint);

}  // namespace sida::model

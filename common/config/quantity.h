// Text forms of numbers with a unit, as people write them in flags and configuration files.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace sida::config {

// "512MiB", "8GiB", "1.5GiB", "64KB", "4096" (bytes), "0". KiB, MiB, GiB, TiB are powers of 1024; KB, MB, GB, TB of
// 1000. kInvalidArgument on anything else, on fractions of a byte's worth of overflow, and on signs.
Result<std::uint64_t> parse_size(std::string_view text);
// The largest binary unit that divides the size, else plain bytes: "8GiB", "1536MiB", "4097".
std::string format_size(std::uint64_t bytes);

// "250ms", "30s", "5m", "1h", "1.5s"; a bare "0" is allowed, another bare number is not (its unit would be a guess).
Result<std::chrono::milliseconds> parse_duration(std::string_view text);
std::string format_duration(std::chrono::milliseconds duration);

Result<std::int64_t> parse_integer(std::string_view text);
Result<double> parse_number(std::string_view text);
// true, false, yes, no, on, off, 1, 0.
Result<bool> parse_switch(std::string_view text);

}  // namespace sida::config

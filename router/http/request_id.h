// The name that a request has in logs, and that its client may choose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sida::router {

inline constexpr std::size_t kRequestIdBytesMax = 128;

// One to 128 letters, digits and of ._:- so that it can stand in a log line and in a header as it is.
bool is_request_id(std::string_view text);

// "cmpl-0123456789abcdef"
std::string hex_id(const char* prefix, std::uint64_t value);

}  // namespace sida::router

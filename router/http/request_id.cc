#include "router/http/request_id.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace sida::router {

bool is_request_id(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == ':' || c == '-';
  };
  return !text.empty() && text.size() <= kRequestIdBytesMax && std::ranges::all_of(text, allowed);
}

std::string hex_id(const char* prefix, std::uint64_t value) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(value));
  return prefix + std::string(text.data());
}

}  // namespace sida::router

#include "router/http/trace_parent.h"

#include <charconv>
#include <cstdint>
#include <span>

namespace sida::router {
namespace {

bool read_hex(std::string_view text, std::span<std::uint8_t> out) {
  if (text.size() != 2 * out.size() || text.find_first_not_of("0123456789abcdef") != std::string_view::npos) {
    return false;
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::from_chars(text.data() + 2 * i, text.data() + 2 * i + 2, out[i], 16);
  }
  return true;
}

}  // namespace

proto::TraceContext parse_trace_parent(std::string_view header) {
  constexpr std::size_t kLength = 2 + 1 + 32 + 1 + 16 + 1 + 2;
  proto::TraceContext context;
  if (header.size() != kLength || header.substr(0, 3) != "00-" || header[35] != '-' || header[52] != '-' ||
      !read_hex(header.substr(3, 32), context.trace_id) || !read_hex(header.substr(36, 16), context.span_id) ||
      !read_hex(header.substr(53, 2), std::span(&context.flags, 1))) {
    return {};
  }
  return context;
}

std::string trace_id_text(const proto::TraceContext& context) {
  if (context == proto::TraceContext{}) return "-";
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : context.trace_id) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

}  // namespace sida::router

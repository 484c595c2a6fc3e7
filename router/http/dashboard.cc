#include "router/http/dashboard.h"

#include <sodium.h>

#include <array>
#include <optional>

namespace sida::router {
namespace {

// What stands between <name> and </name>; nothing unless there is one such element, without attributes.
std::optional<std::string_view> element_text(std::string_view page, const std::string& name) {
  const std::string open = "<" + name + ">";
  const std::string close = "</" + name + ">";
  const std::size_t begin = page.find(open);
  const std::size_t end = page.find(close);
  const bool once = begin != std::string_view::npos && end != std::string_view::npos && begin < end &&
                    page.find("<" + name, begin + 1) == std::string_view::npos &&
                    page.find(close, end + 1) == std::string_view::npos;
  if (!once) return std::nullopt;
  return page.substr(begin + open.size(), end - begin - open.size());
}

std::string source_hash(std::string_view text) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> hash{};
  crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size());
  std::string base64(sodium_base64_encoded_len(hash.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(base64.data(), base64.size(), hash.data(), hash.size(), sodium_base64_VARIANT_ORIGINAL);
  base64.pop_back();  // The terminating zero.
  return "'sha256-" + base64 + "'";
}

}  // namespace

std::string content_security_policy(std::string_view page) {
  const auto style = element_text(page, "style");
  const auto script = element_text(page, "script");
  if (!style || !script) return "";
  return "default-src 'none'; style-src " + source_hash(*style) + "; script-src " + source_hash(*script) +
         "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
}

}  // namespace sida::router

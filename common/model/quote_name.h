// Names from untrusted files inside error messages.
#pragma once

#include <string>
#include <string_view>

namespace sida::model {

// 'name' in single quotes, control bytes replaced by '?', cut after 200 bytes: a message stays one readable line.
[[nodiscard]] inline std::string quote_name(std::string_view name) {
  constexpr std::size_t kLongest = 200;
  std::string text = "'";
  for (char c : name.substr(0, kLongest)) text += (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) ? '?' : c;
  return text + (name.size() > kLongest ? "…'" : "'");
}

}  // namespace sida::model

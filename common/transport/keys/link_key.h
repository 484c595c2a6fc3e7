// A Curve25519 key of a link, as text: 40 characters of Z85 (rfc.zeromq.org/spec/32), which is how files hold it.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace sida::transport {

inline constexpr std::size_t kLinkKeyBytes = 32;
inline constexpr std::size_t kLinkKeyCharacters = 40;

struct KeyPair {
  std::string secret_key;
  std::string public_key;
};

// kInvalidArgument unless the text is 40 characters of Z85. The error does not repeat the text: it may be a secret.
Result<void> check_link_key(std::string_view text);

// `bytes` are kLinkKeyBytes.
std::string link_key_text(std::span<const std::byte> bytes);

KeyPair make_key_pair();
// `secret_key` is one that check_link_key() accepts.
std::string public_key_of(const std::string& secret_key);

}  // namespace sida::transport

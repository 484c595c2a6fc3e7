#include "common/transport/keys/link_key.h"

#include <zmq.h>

#include <array>
#include <cstdint>

namespace sida::transport {
namespace {

using Text = std::array<char, kLinkKeyCharacters + 1>;

constexpr std::string_view kDigits =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

}  // namespace

Result<void> check_link_key(std::string_view text) {
  std::array<std::uint8_t, kLinkKeyBytes> bytes{};
  if (text.size() != kLinkKeyCharacters || text.find_first_not_of(kDigits) != std::string_view::npos ||
      zmq_z85_decode(bytes.data(), std::string(text).c_str()) == nullptr) {
    return fail(ErrorCode::kInvalidArgument, "not a key; a key is 40 characters, as 'sida keys' writes them");
  }
  return {};
}

std::string link_key_text(std::span<const std::byte> bytes) {
  SIDA_CHECK(bytes.size() == kLinkKeyBytes);
  Text text{};
  SIDA_CHECK(zmq_z85_encode(text.data(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()) != nullptr);
  return text.data();
}

KeyPair make_key_pair() {
  Text public_key{};
  Text secret_key{};
  SIDA_CHECK(zmq_curve_keypair(public_key.data(), secret_key.data()) == 0);
  return {secret_key.data(), public_key.data()};
}

std::string public_key_of(const std::string& secret_key) {
  Text public_key{};
  SIDA_CHECK(zmq_curve_public(public_key.data(), secret_key.c_str()) == 0);
  return public_key.data();
}

}  // namespace sida::transport

// Any bytes from a socket: decode() answers with an error or with an envelope that survives a round trip.
#include <cstdint>

#include "common/proto/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sida::proto;
  const auto decoded = decode({reinterpret_cast<const std::byte*>(data), size});
  if (!decoded) {
    SIDA_CHECK(decoded.error().code == sida::ErrorCode::kMalformedMessage ||
               decoded.error().code == sida::ErrorCode::kMismatch);
    return 0;
  }
  if (const auto* dispatch = std::get_if<Dispatch>(&decoded->message)) {
    SIDA_CHECK(check_rows(dispatch->shape, dispatch->shape.bytes()).has_value());
  }
  const auto again = decode(encode(*decoded));
  SIDA_CHECK(again.has_value() && *again == *decoded);
  return 0;
}

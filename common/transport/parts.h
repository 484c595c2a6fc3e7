// What the two kinds of messages are on a wire that carries parts: an envelope, or an envelope and rows.
#pragma once

#include <array>
#include <span>
#include <string>

#include "common/base/result.h"
#include "common/transport/frame.h"
#include "common/transport/tensor_channel.h"

namespace sida::transport {

template <typename Message>
inline constexpr std::size_t kParts = 1;
template <>
inline constexpr std::size_t kParts<TensorMessage> = 2;

inline std::array<Frame, 1> to_parts(Frame message) {
  return {std::move(message)};
}
inline std::array<Frame, 2> to_parts(TensorMessage message) {
  return {std::move(message.envelope), std::move(message.rows)};
}

// `parts` has kParts<Message> frames.
template <typename Message>
Message from_parts(std::span<Frame> parts) {
  if constexpr (kParts<Message> == 1) {
    return std::move(parts[0]);
  } else {
    return {std::move(parts[0]), std::move(parts[1])};
  }
}

// kInvalidArgument when a part is larger than the receiver would accept: it would end the connection.
inline Result<void> check_sizes(std::span<const Frame> parts, std::size_t bytes_max) {
  for (const Frame& part : parts) {
    if (part.size() > bytes_max) {
      return fail(ErrorCode::kInvalidArgument, "a message of " + std::to_string(part.size()) +
                                                   " bytes is larger than the link's limit of " +
                                                   std::to_string(bytes_max));
    }
  }
  return {};
}

}  // namespace sida::transport

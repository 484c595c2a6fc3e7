// One end of a link: a segment, its two rings, and the socket that wakes the other end.
#pragma once

#include <cstddef>
#include <optional>

#include "common/base/result.h"
#include "common/transport/sharedmemory/ring.h"
#include "common/transport/sharedmemory/segment.h"
#include "common/transport/tensor_channel.h"
#include "common/transport/transport.h"
#include "common/transport/unixsocket/descriptor.h"

namespace sida::transport::sharedmemory {

enum class End { kServer, kClient };

// One thread; never blocks. The rings refer to the segment, so a line stays where it was made.
class Line {
 public:
  Line(Segment segment, End end, const Limits& limits);
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  // The socket, by number; -1 while there is no peer. Its owner closes it.
  void attach(int socket) { socket_ = socket; }

  // As TensorClient::send. kUnavailable: the peer has broken the ring's rules.
  Result<void> send(const TensorMessage& message);
  // Nothing: none there. kMalformedMessage: the peer has broken the rules; this line is of no more use.
  Result<std::optional<TensorMessage>> take();
  // Asks for the bell. Take once more before waiting for it.
  void sleep() { reader_.sleep(); }

  // The peer was found gone, by a bell that did not ring or by heard_bell(). What it had sent can still be taken.
  [[nodiscard]] bool gone() const { return gone_; }
  void heard_bell();

  [[nodiscard]] const Segment& segment() const { return segment_; }

 private:
  Segment segment_;
  RingWriter writer_;
  RingReader reader_;
  std::size_t message_bytes_max_;
  int socket_ = -1;
  bool gone_ = false;
};

}  // namespace sida::transport::sharedmemory

// The control link seam: small messages between one client and one server, reconnecting, with bounded queues.
// Implementations: ZeroMQ (DEALER to ROUTER) and in-process. tests/conformance/transport runs both through one suite.
//
// Threads: each object belongs to one thread. Nothing here blocks: an agent drains its links, and when a whole turn
// found nothing to do it waits with common/runtime/waiter.h on the wake descriptors of all of them. A descriptor may be
// edge-triggered: wait only after receive() has returned nothing since the last send or receive. It tells of messages,
// not of room: after kOverloaded, try again after the next receive or a short while.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/transport/frame.h"

namespace sida::transport {

// A peer of a server: one incarnation of one client. Never reused by a server.
struct PeerId {
  std::uint64_t value = 0;
  auto operator<=>(const PeerId&) const = default;
};

class ControlClient {
 public:
  virtual ~ControlClient() = default;
  // kOverloaded at the high-water mark, nothing sent. A message accepted may still be lost if the peer dies.
  virtual Result<void> send(Frame message) = 0;
  virtual std::optional<Frame> receive() = 0;
  [[nodiscard]] virtual int wake_descriptor() const = 0;
  // As TensorClient's.
  [[nodiscard]] virtual std::uint64_t interruptions() const = 0;
};

class ControlServer {
 public:
  struct Received {
    PeerId peer;
    Frame message;
  };
  virtual ~ControlServer() = default;
  // kUnavailable when the peer is gone, kOverloaded when its queue is full; nothing sent.
  virtual Result<void> send(PeerId peer, Frame message) = 0;
  virtual std::optional<Received> receive() = 0;
  [[nodiscard]] virtual int wake_descriptor() const = 0;
  // Where clients connect; a wildcard port is resolved: "tcp://127.0.0.1:40123".
  [[nodiscard]] virtual const std::string& endpoint() const = 0;
};

}  // namespace sida::transport

// A ZeroMQ socket that never blocks, with every limit set. The one place that calls the library for messages.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <zmq.hpp>

#include "common/base/result.h"
#include "common/transport/frame.h"
#include "common/transport/keys/link_key.h"
#include "common/transport/transport.h"
#include "common/transport/zeromq/socket_monitor.h"

namespace sida::transport::zeromq {

// The most parts that a well-formed message has: a routing id, an envelope, rows.
inline constexpr std::size_t kMaxParts = 3;

struct ReceivedParts {
  std::array<Frame, kMaxParts> frames;
  std::size_t count = 0;   // May exceed kMaxParts: the frames beyond were dropped.
  std::string public_key;  // Of the peer, as it was let in; empty on sockets that are not encrypted.
};

// One thread, except that memory of sent frames is released on ZeroMQ's own thread. The context outlives the socket.
class Socket {
 public:
  // kIo: no more sockets. `routing_id`: of a DEALER, for its ROUTER; empty for a ROUTER.
  static Result<Socket> make(std::shared_ptr<zmq::context_t> context, zmq::socket_type type, const Limits& limits,
                             const std::string& routing_id);

  Result<void> connect(const std::string& address);
  Result<void> bind(const std::string& address);
  // Listens with a socket made by IpcListener; takes the descriptor.
  Result<void> bind_descriptor(const std::string& address, int descriptor);
  [[nodiscard]] std::string bound_address() const;

  // Of the next bind or connect. kInternal: the library has no CURVE.
  Result<void> encrypt_as_server(const std::string& secret_key);
  Result<void> encrypt_as_client(const KeyPair& own, const std::string& server_key);
  // Ends connections made by it; what is on its way there may be lost. Nothing where there is none.
  void unbind(const std::string& address);
  void disconnect(const std::string& address);
  Result<SocketMonitor> monitor() { return SocketMonitor::watch(*context_, socket_); }

  // All parts or none. kOverloaded: the queue is full. kUnavailable: a ROUTER has no such peer.
  Result<void> send(std::span<const Frame> parts);
  std::optional<ReceivedParts> receive();

  // ZMQ_FD. Edge-triggered: it becomes readable when something happened, and any call on the socket may take that
  // away. Once receive() has returned nothing and no send followed, everything that happened so far has been dealt with
  // and the next event makes it readable; only then may one wait on it.
  [[nodiscard]] int descriptor() const;

 private:
  Socket(std::shared_ptr<zmq::context_t> context, zmq::socket_t socket)
      : context_(std::move(context)), socket_(std::move(socket)) {}

  std::shared_ptr<zmq::context_t> context_;
  mutable zmq::socket_t socket_;
  bool encrypted_ = false;
};

}  // namespace sida::transport::zeromq

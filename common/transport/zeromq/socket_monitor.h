// What ZeroMQ tells of a socket's connections: how handshakes ended, and that a connection broke.
#pragma once

#include <optional>
#include <zmq.hpp>

#include "common/base/result.h"

namespace sida::transport::zeromq {

enum class ConnectionEvent {
  kEncrypted,     // The handshake succeeded.
  kNotLetIn,      // The other side does not know our key (a client), or we not its (a server).
  kNoHandshake,   // The other side speaks no CURVE, knows not our key, or breaks the protocol.
  kDisconnected,  // A connection ended, whatever its state was.
};

// The thread of the socket, which outlives the monitor: a reader that went first would leave the library waiting for
// one.
class SocketMonitor {
 public:
  // Before the socket binds or connects. kIo: no socket or descriptor is left.
  static Result<SocketMonitor> watch(zmq::context_t& context, zmq::socket_t& socket);
  ~SocketMonitor();
  SocketMonitor(SocketMonitor&& other) noexcept;
  SocketMonitor& operator=(SocketMonitor&&) = delete;
  // Nothing: no news. Never blocks.
  std::optional<ConnectionEvent> next();

 private:
  SocketMonitor(zmq::context_t& context, zmq::socket_t& socket);

  void* watched_;  // nullptr when moved from.
  zmq::socket_t events_;
};

}  // namespace sida::transport::zeromq

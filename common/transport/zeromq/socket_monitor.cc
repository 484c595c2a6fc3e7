#include "common/transport/zeromq/socket_monitor.h"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "common/base/result.h"

namespace sida::transport::zeromq {
namespace {

// The library's thread waits for room here, so there is room for whatever happens while an agent computes.
constexpr int kEventsMax = 1 << 17;

constexpr int kWatched = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                         ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_DISCONNECTED;

std::string new_address() {
  static std::atomic<std::uint64_t> last{0};
  return "inproc://sida-monitor-" + std::to_string(++last);
}

std::optional<ConnectionEvent> meaning_of(std::uint16_t event) {
  switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
      return ConnectionEvent::kEncrypted;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      return ConnectionEvent::kNotLetIn;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      return ConnectionEvent::kNoHandshake;
    case ZMQ_EVENT_DISCONNECTED:
      return ConnectionEvent::kDisconnected;
    default:
      return std::nullopt;
  }
}

}  // namespace

SocketMonitor::SocketMonitor(zmq::context_t& context, zmq::socket_t& socket)
    : watched_(socket.handle()), events_(context, zmq::socket_type::pair) {
  const std::string address = new_address();
  events_.set(zmq::sockopt::linger, 0);
  events_.set(zmq::sockopt::rcvhwm, kEventsMax);
  // Connected first: the library's side would wait for somebody to read.
  events_.connect(address);
  if (zmq_socket_monitor(socket.handle(), address.c_str(), kWatched) != 0) throw zmq::error_t();
}

Result<SocketMonitor> SocketMonitor::watch(zmq::context_t& context, zmq::socket_t& socket) {
  try {
    return SocketMonitor(context, socket);
  } catch (const zmq::error_t& error) {
    return fail(ErrorCode::kIo, std::string("no more links can be made: ") + error.what() +
                                    "; raise the limit of open files (ulimit -n), or have fewer peers");
  }
}

SocketMonitor::SocketMonitor(SocketMonitor&& other) noexcept
    : watched_(std::exchange(other.watched_, nullptr)), events_(std::move(other.events_)) {}

SocketMonitor::~SocketMonitor() {
  if (watched_ != nullptr) zmq_socket_monitor(watched_, nullptr, 0);
}

std::optional<ConnectionEvent> SocketMonitor::next() {
  for (;;) {
    zmq::message_t message;
    if (zmq_msg_recv(message.handle(), events_.handle(), ZMQ_DONTWAIT) < 0) return std::nullopt;
    const bool more = message.more();
    std::uint16_t event = 0;
    if (message.size() >= sizeof event) std::memcpy(&event, message.data(), sizeof event);
    if (more) {  // The address follows: that of the socket, which is known.
      zmq::message_t address;
      zmq_msg_recv(address.handle(), events_.handle(), ZMQ_DONTWAIT);
    }
    if (const auto meaning = meaning_of(event)) return meaning;
  }
}

}  // namespace sida::transport::zeromq

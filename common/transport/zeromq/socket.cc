#include "common/transport/zeromq/socket.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>

namespace sida::transport::zeromq {
namespace {

// From this size on, sharing the memory is cheaper than copying it (measured: 8 KiB and up).
constexpr std::size_t kZeroCopyBytesMin = 8U << 10U;
// Received memory is aligned to this, so that rows can be read in place.
constexpr std::uintptr_t kAlignment = 8;
// How long the end of a socket may wait for messages that are not on the wire yet, such as a Refuse.
constexpr std::chrono::milliseconds kLinger{100};
// The pause before connecting again doubles from the first to the second.
constexpr std::chrono::milliseconds kReconnectFirst{20};
constexpr std::chrono::milliseconds kReconnectMax{500};
// Strangers hold a connection, and memory for what they send, no longer than this before they are let in.
constexpr std::chrono::milliseconds kHandshakeTime{5000};
// A host that is gone tells nobody: connections over a network end when it has taken nothing for so long, or when it
// answers no probe; then they are made anew.
constexpr std::chrono::milliseconds kUnansweredTime{5000};
constexpr int kProbeAfterSeconds = 5;
constexpr int kProbeEverySeconds = 2;
constexpr int kProbesMax = 3;

tl::unexpected<Error> refuse(const std::string& what, const zmq::error_t& error) {
  return fail(ErrorCode::kIo, "cannot " + what + ": " + error.what());
}

int count(std::chrono::milliseconds duration) {
  return static_cast<int>(duration.count());
}

void set_limits(zmq::socket_t& socket, const Limits& limits) {
  socket.set(zmq::sockopt::linger, count(kLinger));
  socket.set(zmq::sockopt::sndtimeo, 0);
  socket.set(zmq::sockopt::rcvtimeo, 0);
  socket.set(zmq::sockopt::sndhwm, limits.queue_messages_max);
  socket.set(zmq::sockopt::rcvhwm, limits.queue_messages_max);
  socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(limits.message_bytes_max));
  socket.set(zmq::sockopt::reconnect_ivl, count(kReconnectFirst));
  socket.set(zmq::sockopt::reconnect_ivl_max, count(kReconnectMax));
}

void set_network_limits(zmq::socket_t& socket) {
  socket.set(zmq::sockopt::handshake_ivl, count(kHandshakeTime));
  socket.set(zmq::sockopt::tcp_maxrt, count(kUnansweredTime));
  socket.set(zmq::sockopt::tcp_keepalive, 1);
  socket.set(zmq::sockopt::tcp_keepalive_idle, kProbeAfterSeconds);
  socket.set(zmq::sockopt::tcp_keepalive_intvl, kProbeEverySeconds);
  socket.set(zmq::sockopt::tcp_keepalive_cnt, kProbesMax);
}

zmq::message_t to_message(const Frame& frame) {
  if (frame.size() < kZeroCopyBytesMin) return {frame.data(), frame.size()};
  // The library asks for mutable memory but does not write what it sends. It drops the frame on its own thread.
  auto* memory = const_cast<std::byte*>(frame.data());
  const auto release = [](void*, void* hint) { delete static_cast<Frame*>(hint); };
  return {memory, frame.size(), release, new Frame(frame)};
}

Frame to_frame(std::shared_ptr<zmq::message_t> message) {
  const auto* data = static_cast<const std::byte*>(message->data());
  const std::size_t size = message->size();
  // Small messages lie in a shared read buffer, at any address.
  if (reinterpret_cast<std::uintptr_t>(data) % kAlignment != 0) {
    return Frame::take(std::vector<std::byte>(data, data + size));
  }
  return {data, size, std::move(message)};
}

// Only where it is asked for: with it, a bound IPv4 address is reported as a mapped IPv6 one.
bool is_ipv6(const std::string& address) {
  return address.starts_with("tcp://[");
}

int without_interruption(auto call) {
  for (;;) {
    const int result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

}  // namespace

Result<Socket> Socket::make(std::shared_ptr<zmq::context_t> context, zmq::socket_type type, const Limits& limits,
                            const std::string& routing_id) {
  try {
    zmq::socket_t socket(*context, type);
    set_limits(socket, limits);
    if (type == zmq::socket_type::router) socket.set(zmq::sockopt::router_mandatory, 1);
    if (!routing_id.empty()) socket.set(zmq::sockopt::routing_id, routing_id);
    return Socket(std::move(context), std::move(socket));
  } catch (const zmq::error_t& error) {
    return refuse("make a socket", error);
  }
}

Result<void> Socket::encrypt_as_server(const std::string& secret_key) {
  try {
    set_network_limits(socket_);
    socket_.set(zmq::sockopt::curve_server, true);
    socket_.set(zmq::sockopt::curve_secretkey, secret_key);
    // A client's connection may break without our side's knowing. Its id is its own, so the newer one is the right one.
    socket_.set(zmq::sockopt::router_handover, true);
    encrypted_ = true;
    return {};
  } catch (const zmq::error_t& error) {
    return fail(ErrorCode::kInternal, std::string("links cannot be encrypted with this libzmq: ") + error.what());
  }
}

Result<void> Socket::encrypt_as_client(const KeyPair& own, const std::string& server_key) {
  try {
    set_network_limits(socket_);
    socket_.set(zmq::sockopt::connect_timeout, count(kUnansweredTime));
    socket_.set(zmq::sockopt::curve_serverkey, server_key);
    socket_.set(zmq::sockopt::curve_publickey, own.public_key);
    socket_.set(zmq::sockopt::curve_secretkey, own.secret_key);
    return {};
  } catch (const zmq::error_t& error) {
    return fail(ErrorCode::kInternal, std::string("links cannot be encrypted with this libzmq: ") + error.what());
  }
}

void Socket::unbind(const std::string& address) {
  zmq_unbind(socket_.handle(), address.c_str());
}

void Socket::disconnect(const std::string& address) {
  zmq_disconnect(socket_.handle(), address.c_str());
}

Result<void> Socket::connect(const std::string& address) {
  try {
    socket_.set(zmq::sockopt::ipv6, is_ipv6(address));
    socket_.connect(address);
    return {};
  } catch (const zmq::error_t& error) {
    return refuse("connect to " + address, error);
  }
}

Result<void> Socket::bind(const std::string& address) {
  try {
    socket_.set(zmq::sockopt::ipv6, is_ipv6(address));
    socket_.bind(address);
    return {};
  } catch (const zmq::error_t& error) {
    return refuse("listen on " + address, error);
  }
}

Result<void> Socket::bind_descriptor(const std::string& address, int descriptor) {
  try {
    socket_.set(zmq::sockopt::use_fd, descriptor);
  } catch (const zmq::error_t& error) {
    close(descriptor);
    return refuse("listen on " + address, error);
  }
  return bind(address);
}

std::string Socket::bound_address() const {
  return socket_.get(zmq::sockopt::last_endpoint);
}

Result<void> Socket::send(std::span<const Frame> parts) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    zmq::message_t message = to_message(parts[i]);
    const int flags = ZMQ_DONTWAIT | (i + 1 < parts.size() ? ZMQ_SNDMORE : 0);
    const auto try_to_send = [&] {
      return without_interruption([&] { return zmq_msg_send(message.handle(), socket_.handle(), flags); });
    };
    int sent = try_to_send();
    // The library looks for news of room in a queue only now and then; asked for its events, it looks at once.
    if (sent < 0 && errno == EAGAIN && i == 0 && (socket_.get(zmq::sockopt::events) & ZMQ_POLLOUT) != 0) {
      sent = try_to_send();
    }
    if (sent >= 0) continue;
    // A peer that goes away between two parts takes back the first ones.
    if (errno == EHOSTUNREACH || i > 0) return fail(ErrorCode::kUnavailable, "the peer is gone");
    if (errno == EAGAIN) return fail(ErrorCode::kOverloaded, "the peer's queue is full");
    return fail(ErrorCode::kIo, std::string("cannot send: ") + zmq_strerror(errno));
  }
  return {};
}

std::optional<ReceivedParts> Socket::receive() {
  ReceivedParts parts;
  bool more = true;
  while (more) {
    auto message = std::make_shared<zmq::message_t>();
    const int received =
        without_interruption([&] { return zmq_msg_recv(message->handle(), socket_.handle(), ZMQ_DONTWAIT); });
    if (received < 0) return std::nullopt;
    more = message->more();
    if (encrypted_ && !more) {  // The routing id, which the library puts in front, does not always have it.
      const char* key = zmq_msg_gets(message->handle(), "User-Id");  // Which LinkGuard has given.
      if (key != nullptr) parts.public_key = key;
    }
    if (parts.count < kMaxParts) parts.frames[parts.count] = to_frame(std::move(message));
    ++parts.count;
  }
  return parts;
}

int Socket::descriptor() const {
  return socket_.get(zmq::sockopt::fd);
}

}  // namespace sida::transport::zeromq

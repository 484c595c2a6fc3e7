// Both kinds of links over one Socket each: a client is a DEALER, a server a ROUTER.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "common/transport/parts.h"
#include "common/transport/unixsocket/ipc_listener.h"
#include "common/transport/zeromq/peer_table.h"
#include "common/transport/zeromq/socket.h"
#include "common/transport/zeromq/socket_keys.h"

namespace sida::transport::zeromq {

// A message with the wrong number of parts becomes an empty one, which the codec refuses and the receiver counts.
template <typename Message>
Message message_of(ReceivedParts& parts, std::size_t first) {
  if (parts.count != first + kParts<Message>) return {};
  return from_parts<Message>(std::span(parts.frames).subspan(first));
}

template <typename Interface, typename Message>
class Client final : public Interface {
 public:
  // `keys`: nullptr where the link is not encrypted.
  Client(Socket socket, std::unique_ptr<ClientKeys> keys, std::size_t message_bytes_max)
      : socket_(std::move(socket)), keys_(std::move(keys)), message_bytes_max_(message_bytes_max) {}

  Result<void> send(Message message) override {
    const auto parts = to_parts(std::move(message));
    SIDA_TRY(check_sizes(parts, message_bytes_max_));
    return socket_.send(parts);
  }

  std::optional<Message> receive() override {
    auto parts = socket_.receive();
    if (!parts && keys_ && keys_->follow(socket_)) parts = socket_.receive();
    if (!parts) return std::nullopt;
    return message_of<Message>(*parts, 0);
  }

  [[nodiscard]] int wake_descriptor() const override { return socket_.descriptor(); }
  [[nodiscard]] std::uint64_t interruptions() const override { return keys_ ? keys_->interruptions() : 0; }

 private:
  Socket socket_;
  std::unique_ptr<ClientKeys> keys_;
  std::size_t message_bytes_max_;
};

template <typename Interface, typename Message>
class Server final : public Interface {
 public:
  using Received = typename Interface::Received;

  struct Parts {
    Socket socket;
    std::optional<IpcListener> listener;  // Owns the path of a Unix socket while the server lives.
    std::unique_ptr<ServerKeys> keys;     // nullptr where links are not encrypted.
    std::string endpoint;
  };
  Server(Parts parts, std::size_t message_bytes_max, std::size_t peers_max)
      : parts_(std::move(parts)), message_bytes_max_(message_bytes_max), peers_(peers_max) {}

  Result<void> send(PeerId peer, Message message) override {
    const std::string* routing_id = peers_.routing_id(peer);
    if (routing_id == nullptr) return fail(ErrorCode::kUnavailable, "the peer is gone");
    std::array<Frame, 1 + kParts<Message>> parts;
    parts[0] = Frame(routing_id->data(), routing_id->size(), nullptr);
    auto body = to_parts(std::move(message));
    SIDA_TRY(check_sizes(body, message_bytes_max_));
    std::move(body.begin(), body.end(), parts.begin() + 1);
    auto sent = parts_.socket.send(parts);
    if (!sent && sent.error().code == ErrorCode::kUnavailable) peers_.forget(peer);
    return sent;
  }

  std::optional<Received> receive() override {
    auto parts = receive_admitted();
    if (!parts && parts_.keys && parts_.keys->follow(parts_.socket)) parts = receive_admitted();
    if (!parts) return std::nullopt;
    const Frame& id = parts->frames[0];
    const PeerId peer = peers_.heard_from(std::string(reinterpret_cast<const char*>(id.data()), id.size()));
    return Received{peer, message_of<Message>(*parts, 1)};
  }

  [[nodiscard]] int wake_descriptor() const override { return parts_.socket.descriptor(); }
  [[nodiscard]] const std::string& endpoint() const override { return parts_.endpoint; }

 private:
  // What peers say whose key was taken away since they connected is dropped; their connections end, so that it is no
  // more than what was under way.
  std::optional<ReceivedParts> receive_admitted() {
    for (;;) {
      auto parts = parts_.socket.receive();
      if (!parts || !parts_.keys || parts_.keys->admits(parts->public_key)) return parts;
      parts_.keys->follow(parts_.socket);
    }
  }

  Parts parts_;
  std::size_t message_bytes_max_;
  PeerTable peers_;
};

}  // namespace sida::transport::zeromq

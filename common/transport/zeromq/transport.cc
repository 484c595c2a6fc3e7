#include "common/transport/transport.h"

#include <sodium.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "common/transport/zeromq/endpoint.h"
#include "common/transport/zeromq/link_guard.h"
#include "common/transport/zeromq/links.h"

namespace sida::transport {
namespace zeromq {
namespace {

using ControlClientLink = Client<ControlClient, Frame>;
using ControlServerLink = Server<ControlServer, Frame>;
using TensorClientLink = Client<TensorClient, TensorMessage>;
using TensorServerLink = Server<TensorServer, TensorMessage>;

constexpr std::size_t kRoutingIdBytes = 16;
// An encrypted link takes three, a worker two links; the library's own limit of 1023 is that of 170 workers.
constexpr int kSocketsMax = 1 << 14;

// New for every client ever made, so that a server never takes one incarnation for another. ZeroMQ reserves ids that
// start with a zero byte.
std::string random_routing_id() {
  std::string id(kRoutingIdBytes, '\0');
  randombytes_buf(id.data(), id.size());
  id.front() = 's';
  return id;
}

// The library's threads, and who may connect to them. Lives as long as the last socket.
struct GuardedContext {
  explicit GuardedContext(const std::shared_ptr<Keyring>& keyring) {
    context.set(zmq::ctxopt::max_sockets, kSocketsMax);
    if (keyring) guard.emplace(context, keyring);
  }
  zmq::context_t context{1};
  std::optional<LinkGuard> guard;
};

std::shared_ptr<zmq::context_t> make_context(const std::shared_ptr<Keyring>& keyring) {
  auto guarded = std::make_shared<GuardedContext>(keyring);
  return {guarded, &guarded->context};
}

class ZeroMqTransport final : public Transport {
 public:
  ZeroMqTransport(const Limits& limits, std::shared_ptr<Keyring> keyring)
      : context_(make_context(keyring)), keyring_(std::move(keyring)), limits_(limits) {}

  Result<std::unique_ptr<ControlServer>> serve_control(const std::string& endpoint) override {
    return serve<ControlServer, ControlServerLink>(endpoint);
  }
  Result<std::unique_ptr<ControlClient>> connect_control(const ServerAddress& server) override {
    return connect<ControlClient, ControlClientLink>(server);
  }
  Result<std::unique_ptr<TensorServer>> serve_tensors(const std::string& endpoint) override {
    return serve<TensorServer, TensorServerLink>(endpoint);
  }
  Result<std::unique_ptr<TensorClient>> connect_tensors(const ServerAddress& server) override {
    return connect<TensorClient, TensorClientLink>(server);
  }

 private:
  [[nodiscard]] Reach reach() const { return keyring_ ? Reach::kNetwork : Reach::kThisHost; }
  // Control links carry no rows.
  template <typename Interface>
  [[nodiscard]] Limits limits_of() const {
    constexpr bool kControl = std::is_same_v<Interface, ControlClient> || std::is_same_v<Interface, ControlServer>;
    Limits limits = limits_;
    if (kControl) limits.message_bytes_max = std::min(limits.message_bytes_max, limits.control_bytes_max);
    return limits;
  }

  template <typename Interface, typename Link>
  Result<std::unique_ptr<Interface>> connect(const ServerAddress& server) {
    const auto endpoint = parse_endpoint(server.endpoint, Use::kConnect, reach());
    if (!endpoint) return tl::unexpected(endpoint.error());
    const Limits limits = limits_of<Interface>();
    auto socket = Socket::make(context_, zmq::socket_type::dealer, limits, random_routing_id());
    if (!socket) return tl::unexpected(socket.error());
    const auto* tcp = std::get_if<TcpEndpoint>(&*endpoint);
    std::unique_ptr<ClientKeys> keys;
    if (tcp == nullptr || !keyring_) {
      SIDA_TRY(socket->connect(tcp != nullptr ? tcp->address : server.endpoint));
    } else {
      auto connected = ClientKeys::connect(*socket, tcp->address, server.name, keyring_);
      if (!connected) return tl::unexpected(std::move(connected).error());
      keys = *std::move(connected);
    }
    return std::make_unique<Link>(std::move(*socket), std::move(keys), limits.message_bytes_max);
  }

  template <typename Interface, typename Link>
  Result<std::unique_ptr<Interface>> serve(const std::string& text) {
    const auto endpoint = parse_endpoint(text, Use::kBind, reach());
    if (!endpoint) return tl::unexpected(endpoint.error());
    const Limits limits = limits_of<Interface>();
    auto socket = Socket::make(context_, zmq::socket_type::router, limits, "");
    if (!socket) return tl::unexpected(socket.error());
    typename Link::Parts parts{std::move(*socket), std::nullopt, nullptr, text};
    if (const auto* ipc = std::get_if<IpcEndpoint>(&*endpoint)) {
      SIDA_TRY(listen_on_path(text, ipc->path, parts.socket, parts.listener));
    } else {
      SIDA_TRY(listen_on_network(std::get<TcpEndpoint>(*endpoint).address, parts.socket, parts.keys));
      parts.endpoint = parts.socket.bound_address();
    }
    return std::make_unique<Link>(std::move(parts), limits.message_bytes_max, limits.peers_max);
  }

  static Result<void> listen_on_path(const std::string& text, const std::string& path, Socket& socket,
                                     std::optional<IpcListener>& listener) {
    auto opened = IpcListener::open(path);
    if (!opened) return tl::unexpected(opened.error());
    listener.emplace(std::move(*opened));
    return socket.bind_descriptor(text, listener->release_descriptor());
  }

  Result<void> listen_on_network(const std::string& address, Socket& socket, std::unique_ptr<ServerKeys>& keys) {
    if (!keyring_) return socket.bind(address);
    auto listening = ServerKeys::listen(socket, address, keyring_);
    if (!listening) return tl::unexpected(std::move(listening).error());
    keys = *std::move(listening);
    return {};
  }

  std::shared_ptr<zmq::context_t> context_;
  std::shared_ptr<Keyring> keyring_;
  Limits limits_;
};

}  // namespace
}  // namespace zeromq

std::unique_ptr<Transport> make_zeromq_transport(const Limits& limits, std::shared_ptr<Keyring> keyring) {
  SIDA_CHECK(sodium_init() >= 0);
  return std::make_unique<zeromq::ZeroMqTransport>(limits, std::move(keyring));
}

}  // namespace sida::transport

#include "common/transport/transport.h"

#include <sodium.h>

#include <utility>

#include "common/transport/zeromq/endpoint.h"
#include "common/transport/zeromq/links.h"

namespace sida::transport {
namespace zeromq {
namespace {

using ControlClientLink = Client<ControlClient, Frame>;
using ControlServerLink = Server<ControlServer, Frame>;
using TensorClientLink = Client<TensorClient, TensorMessage>;
using TensorServerLink = Server<TensorServer, TensorMessage>;

constexpr std::size_t kRoutingIdBytes = 16;

// New for every client ever made, so that a server never takes one incarnation for another. ZeroMQ reserves ids that
// start with a zero byte.
std::string random_routing_id() {
  std::string id(kRoutingIdBytes, '\0');
  randombytes_buf(id.data(), id.size());
  id.front() = 's';
  return id;
}

class ZeroMqTransport final : public Transport {
 public:
  explicit ZeroMqTransport(const Limits& limits) : context_(std::make_shared<zmq::context_t>(1)), limits_(limits) {}

  Result<std::unique_ptr<ControlServer>> serve_control(const std::string& endpoint) override {
    return serve<ControlServer, ControlServerLink>(endpoint);
  }
  Result<std::unique_ptr<ControlClient>> connect_control(const std::string& endpoint) override {
    return connect<ControlClient, ControlClientLink>(endpoint);
  }
  Result<std::unique_ptr<TensorServer>> serve_tensors(const std::string& endpoint) override {
    return serve<TensorServer, TensorServerLink>(endpoint);
  }
  Result<std::unique_ptr<TensorClient>> connect_tensors(const std::string& endpoint) override {
    return connect<TensorClient, TensorClientLink>(endpoint);
  }

 private:
  template <typename Interface, typename Link>
  Result<std::unique_ptr<Interface>> connect(const std::string& text) {
    const auto endpoint = parse_endpoint(text, Use::kConnect);
    if (!endpoint) return tl::unexpected(endpoint.error());
    auto socket = Socket::make(context_, zmq::socket_type::dealer, limits_, random_routing_id());
    if (!socket) return tl::unexpected(socket.error());
    const auto* tcp = std::get_if<TcpEndpoint>(&*endpoint);
    SIDA_TRY(socket->connect(tcp != nullptr ? tcp->address : text));
    return std::make_unique<Link>(std::move(*socket), limits_.message_bytes_max);
  }

  template <typename Interface, typename Link>
  Result<std::unique_ptr<Interface>> serve(const std::string& text) {
    const auto endpoint = parse_endpoint(text, Use::kBind);
    if (!endpoint) return tl::unexpected(endpoint.error());
    auto socket = Socket::make(context_, zmq::socket_type::router, limits_, "");
    if (!socket) return tl::unexpected(socket.error());
    std::optional<IpcListener> listener;
    if (const auto* ipc = std::get_if<IpcEndpoint>(&*endpoint)) {
      auto opened = IpcListener::open(ipc->path);
      if (!opened) return tl::unexpected(opened.error());
      listener.emplace(std::move(*opened));
      SIDA_TRY(socket->bind_descriptor(text, listener->release_descriptor()));
      return std::make_unique<Link>(std::move(*socket), std::move(listener), text, limits_);
    }
    SIDA_TRY(socket->bind(std::get<TcpEndpoint>(*endpoint).address));
    std::string bound = socket->bound_address();
    return std::make_unique<Link>(std::move(*socket), std::move(listener), std::move(bound), limits_);
  }

  std::shared_ptr<zmq::context_t> context_;
  Limits limits_;
};

}  // namespace
}  // namespace zeromq

std::unique_ptr<Transport> make_zeromq_transport(const Limits& limits) {
  SIDA_CHECK(sodium_init() >= 0);
  return std::make_unique<zeromq::ZeroMqTransport>(limits);
}

}  // namespace sida::transport

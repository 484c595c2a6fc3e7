#include "common/transport/transport.h"

#include <string_view>
#include <utility>

#include "common/transport/sharedmemory/client.h"
#include "common/transport/sharedmemory/server.h"
#include "common/transport/unixsocket/socket_path.h"

namespace sida::transport {
namespace {

constexpr std::string_view kSharedMemory = "shm://";

class HostTransport final : public Transport {
 public:
  HostTransport(const Limits& limits, std::shared_ptr<Keyring> keyring)
      : limits_(limits), zeromq_(make_zeromq_transport(limits, std::move(keyring))) {}

  Result<std::unique_ptr<ControlServer>> serve_control(const std::string& endpoint) override {
    return zeromq_->serve_control(endpoint);
  }
  Result<std::unique_ptr<ControlClient>> connect_control(const ServerAddress& server) override {
    return zeromq_->connect_control(server);
  }
  Result<std::unique_ptr<TensorServer>> serve_tensors(const std::string& endpoint) override {
    if (!endpoint.starts_with(kSharedMemory)) return zeromq_->serve_tensors(endpoint);
    const auto path = socket_path(endpoint, kSharedMemory);
    if (!path) return tl::unexpected(path.error());
    return sharedmemory::Server::make(*path, endpoint, limits_);
  }
  Result<std::unique_ptr<TensorClient>> connect_tensors(const ServerAddress& server) override {
    if (!server.endpoint.starts_with(kSharedMemory)) return zeromq_->connect_tensors(server);
    const auto path = socket_path(server.endpoint, kSharedMemory);
    if (!path) return tl::unexpected(path.error());
    return sharedmemory::Client::make(*path, limits_);
  }

 private:
  const Limits limits_;
  std::unique_ptr<Transport> zeromq_;
};

}  // namespace

std::unique_ptr<Transport> make_host_transport(const Limits& limits, std::shared_ptr<Keyring> keyring) {
  return std::make_unique<HostTransport>(limits, std::move(keyring));
}

}  // namespace sida::transport

#include "expert-worker/agents/tensor_servers.h"

#include <utility>

namespace sida::worker {

TensorServers::TensorServers(std::vector<std::unique_ptr<transport::TensorServer>> servers)
    : servers_(std::move(servers)) {
  SIDA_CHECK(!servers_.empty());
}

Result<void> TensorServers::send(transport::PeerId peer, transport::TensorMessage message) {
  const std::size_t count = servers_.size();
  return servers_[peer.value % count]->send({peer.value / count}, std::move(message));
}

std::optional<transport::TensorServer::Received> TensorServers::receive() {
  const std::size_t count = servers_.size();
  for (std::size_t tried = 0; tried < count; ++tried) {
    const std::size_t index = next_;
    next_ = (next_ + 1) % count;
    if (auto received = servers_[index]->receive()) {
      received->peer = {received->peer.value * count + index};
      return received;
    }
  }
  return std::nullopt;
}

void TensorServers::add_wake_descriptors(std::vector<int>& descriptors) const {
  for (const auto& server : servers_) descriptors.push_back(server->wake_descriptor());
}

}  // namespace sida::worker

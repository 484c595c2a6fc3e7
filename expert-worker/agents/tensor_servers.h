// A worker's tensor channels of every kind, as one.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "common/base/result.h"
#include "common/transport/tensor_channel.h"

namespace sida::worker {

// One thread. Peers of all servers have ids of their own here.
class TensorServers {
 public:
  explicit TensorServers(std::vector<std::unique_ptr<transport::TensorServer>> servers);

  // As TensorServer's.
  Result<void> send(transport::PeerId peer, transport::TensorMessage message);
  // From each server in turn.
  std::optional<transport::TensorServer::Received> receive();
  void add_wake_descriptors(std::vector<int>& descriptors) const;

 private:
  std::vector<std::unique_ptr<transport::TensorServer>> servers_;
  std::size_t next_ = 0;
};

}  // namespace sida::worker

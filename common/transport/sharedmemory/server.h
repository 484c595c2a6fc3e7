// A worker's end of links through shared memory: one line for each router.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/runtime/clock.h"
#include "common/transport/sharedmemory/line.h"
#include "common/transport/transport.h"
#include "common/transport/unixsocket/descriptor.h"
#include "common/transport/unixsocket/ipc_listener.h"

namespace sida::transport::sharedmemory {

// While messages are there it reads memory alone. When none is left it asks the system, by one call, who rang, came
// or went. One thread.
class Server final : public TensorServer {
 public:
  // kIo: another live process serves the path, or no descriptors.
  static Result<std::unique_ptr<Server>> make(const std::string& path, std::string endpoint, const Limits& limits);

  Result<void> send(PeerId peer, TensorMessage message) override;
  std::optional<Received> receive() override;
  [[nodiscard]] int wake_descriptor() const override { return events_.get(); }
  [[nodiscard]] const std::string& endpoint() const override { return endpoint_; }

 private:
  struct Peer {
    Descriptor socket;
    std::unique_ptr<Line> line;  // Null until its memory has come.
    bool heard = false;          // It has sent a message, so it may be sent to.
    std::uint64_t last_heard = 0;
  };
  using Peers = std::map<std::uint64_t, Peer>;

  Server(IpcListener listener, Descriptor listening, Descriptor events, std::string endpoint, const Limits& limits);
  std::optional<Received> take_next();
  void look_around();
  void look_at(Peers::iterator found);
  void accept_all();
  bool accept_one();
  void make_room();
  bool watch(int descriptor, std::uint64_t id);

  IpcListener listener_;
  Descriptor listening_;
  Descriptor events_;  // An epoll set of the listening socket and all peers'.
  const std::string endpoint_;
  const Limits limits_;
  Peers peers_;
  std::uint64_t last_id_ = 0;
  std::uint64_t last_served_ = 0;
  std::uint64_t received_ = 0;
  TimePoint deaf_until_{};  // To new peers, when the system had no descriptor for one.
  bool deaf_ = false;
};

}  // namespace sida::transport::sharedmemory

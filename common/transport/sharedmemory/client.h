// A router's end of a link through shared memory.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/runtime/clock.h"
#include "common/transport/sharedmemory/line.h"
#include "common/transport/transport.h"
#include "common/transport/unixsocket/descriptor.h"

namespace sida::transport::sharedmemory {

// Makes the memory, so messages can wait in it for a server that is not there yet. After a server's end it makes new
// memory and looks for the next server, at once and then every 100 ms. One thread.
class Client final : public TensorClient {
 public:
  // kIo: no such memory, or no descriptors.
  static Result<std::unique_ptr<Client>> make(std::string path, const Limits& limits);

  // kUnavailable while servers turn the memory down (they cannot map it), or when none was found for 2 s: use another
  // kind of channel.
  Result<void> send(TensorMessage message) override;
  std::optional<TensorMessage> receive() override;
  // One number for the client's whole life.
  [[nodiscard]] int wake_descriptor() const override { return wake_.get(); }
  [[nodiscard]] std::uint64_t interruptions() const override { return 0; }  // A send tells.

 private:
  Client(std::string path, const Limits& limits, Descriptor timer, Descriptor wake);
  Result<void> make_line();
  void look_after_connection(TimePoint now);
  [[nodiscard]] Result<void> may_send(TimePoint now);
  void connect();
  void disconnect();

  const std::string path_;
  const Limits limits_;
  std::unique_ptr<Line> line_;  // Null while the system has no memory for one.
  Descriptor timer_;
  // The socket while there is a server, else a second name of the timer, which says when to look for one.
  Descriptor wake_;
  bool connected_ = false;
  bool turned_down_ = false;
  TimePoint look_after_at_{};
  TimePoint alone_since_ = steady_now();  // While not connected.
};

}  // namespace sida::transport::sharedmemory

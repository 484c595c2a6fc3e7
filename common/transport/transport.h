// Makes links of one kind. A process makes one Transport and gives it to its agents.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "common/base/result.h"
#include "common/transport/control_link.h"
#include "common/transport/tensor_channel.h"

namespace sida::transport {

class Keyring;

// Where a client connects.
struct ServerAddress {
  std::string endpoint;
  std::string name;  // Of the server among the keys; needed where the link is encrypted.

  ServerAddress(std::string server_endpoint, std::string server_name = "")  // NOLINT: an endpoint is one.
      : endpoint(std::move(server_endpoint)), name(std::move(server_name)) {}
  ServerAddress(const char* server_endpoint) : endpoint(server_endpoint) {}  // NOLINT: likewise.
};

// Endpoints: "ipc:///run/sida/worker-0.sock" (socket file 0600, at most 107 characters), "tcp://127.0.0.1:*"; of tensor
// channels also "shm:///run/sida/worker-0.sock-rows", the same kind of path, through shared memory.
// TCP links of a transport with keys are encrypted, and both sides know each other's key (docs/security.md); without
// keys addresses off loopback are refused (kInvalidArgument). A client may connect before its server exists. A path or
// port that another live process serves is refused (kIo); what a dead one left behind is replaced. Links may outlive
// their Transport. Destroying the last of them waits up to 100 ms for messages not yet on the wire.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual Result<std::unique_ptr<ControlServer>> serve_control(const std::string& endpoint) = 0;
  virtual Result<std::unique_ptr<ControlClient>> connect_control(const ServerAddress& server) = 0;
  virtual Result<std::unique_ptr<TensorServer>> serve_tensors(const std::string& endpoint) = 0;
  virtual Result<std::unique_ptr<TensorClient>> connect_tensors(const ServerAddress& server) = 0;
};

struct Limits {
  int queue_messages_max = 4096;                // Per peer and direction; kOverloaded beyond.
  std::size_t message_bytes_max = 320U << 20U;  // Per frame. send() refuses larger ones (kInvalidArgument); a peer that
                                                // sends one all the same loses its connection.
  std::size_t control_bytes_max = 8U << 20U;    // The same, of control links over ZeroMQ, which carry no rows.
  std::size_t peers_max = 4096;                 // Of one server; beyond, the peer silent for longest is forgotten.
};

// `keyring`: nullptr where no link leaves this host.
std::unique_ptr<Transport> make_zeromq_transport(const Limits& limits, std::shared_ptr<Keyring> keyring = nullptr);
// Between processes of one host: tensor channels at "shm://" endpoints through shared memory, all else over ZeroMQ.
std::unique_ptr<Transport> make_host_transport(const Limits& limits, std::shared_ptr<Keyring> keyring = nullptr);
// All links made by one in-process transport see each other, by endpoint name "inproc://NAME"; across threads.
std::unique_ptr<Transport> make_in_process_transport(const Limits& limits);

}  // namespace sida::transport

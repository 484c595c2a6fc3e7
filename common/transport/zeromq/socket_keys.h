// Keeps an encrypted socket at the keys that hold now: a server listens with its own newest one and believes only
// peers that are still allowed; a client connects with its own and the server's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/runtime/clock.h"
#include "common/transport/keys/keyring.h"
#include "common/transport/zeromq/socket.h"
#include "common/transport/zeromq/socket_monitor.h"

namespace sida::transport::zeromq {

// Both: the socket's thread.
class ServerKeys {
 public:
  // Listens; `address` may have a wildcard port.
  static Result<std::unique_ptr<ServerKeys>> listen(Socket& socket, const std::string& address,
                                                    std::shared_ptr<Keyring> keyring);

  // Takes note of what happened. True when the socket was used, so that it has to be looked at again before waiting.
  bool follow(Socket& socket);
  // Whether the peer may speak: its key was let in, and holds still. Counts it if not.
  bool admits(const std::string& public_key);

 private:
  ServerKeys(std::shared_ptr<Keyring> keyring, SocketMonitor monitor)
      : keyring_(std::move(keyring)), monitor_(std::move(monitor)) {}
  Result<void> bind(Socket& socket, const std::string& address);
  void take_new_keys();  // If there are any; cheap if not.

  std::shared_ptr<Keyring> keyring_;
  SocketMonitor monitor_;
  std::shared_ptr<const LinkKeys> keys_;
  std::uint64_t version_ = 0;
  std::string secret_key_;  // With which it listens; empty: it does not, and tries again.
  bool key_gone_ = false;   // Of a peer, whose connections are to end: all do, and who is still allowed comes again.
  std::string address_;
  std::uint64_t failed_binds_ = 0;
};

class ClientKeys {
 public:
  // `server`: its name in the ring. kInvalidArgument when it has no key there.
  static Result<std::unique_ptr<ClientKeys>> connect(Socket& socket, std::string address, std::string server,
                                                     std::shared_ptr<Keyring> keyring);
  // As ServerKeys'. Connects anew when the keys have changed, and with the server's next key when one did not work: the
  // library gives a connection up for good when it was not let in.
  bool follow(Socket& socket);
  // Connections that broke, or were given up for new keys; what was under way on them may be lost.
  [[nodiscard]] std::uint64_t interruptions() const { return interruptions_; }

 private:
  ClientKeys(std::shared_ptr<Keyring> keyring, SocketMonitor monitor)
      : keyring_(std::move(keyring)), monitor_(std::move(monitor)) {}
  void note(ConnectionEvent event);
  void note_failure(const char* why);
  void reconnect(Socket& socket);

  std::shared_ptr<Keyring> keyring_;
  SocketMonitor monitor_;
  std::string address_;
  std::string server_;
  std::uint64_t version_ = 0;
  std::string secret_key_;
  std::string server_key_;  // Empty: not connected, since the server has no key any more.
  bool encrypted_ = false;
  bool settled_ = false;  // What happens is of this connection, not of the one before.
  TimePoint settled_at_{};
  const char* early_failure_ = nullptr;
  std::uint64_t failures_ = 0;  // Handshakes, since one succeeded.
  TimePoint retry_at_ = TimePoint::max();
  std::uint64_t interruptions_ = 0;
};

}  // namespace sida::transport::zeromq

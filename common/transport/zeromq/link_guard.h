// A context's doorkeeper: answers ZeroMQ's questions who may connect (rfc.zeromq.org/spec/27), and reads the keys anew
// when their files change. A thread of its own, so that neither waits for an agent.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <zmq.hpp>

#include "common/runtime/clock.h"
#include "common/runtime/wake_event.h"
#include "common/transport/keys/keyring.h"

namespace sida::transport::zeromq {

class LinkGuard {
 public:
  // From here on only peers with a key in the ring connect to encrypted sockets of the context. Made before any of
  // them, and gone before the context.
  LinkGuard(zmq::context_t& context, std::shared_ptr<Keyring> keyring);
  ~LinkGuard();
  LinkGuard(const LinkGuard&) = delete;
  LinkGuard& operator=(const LinkGuard&) = delete;

 private:
  void run();
  void answer_all();
  bool answer_one();
  void refuse(const std::string& address, const std::string& key);
  void reread();

  std::shared_ptr<Keyring> keyring_;
  zmq::socket_t questions_;
  WakeEvent stop_;
  TimePoint next_line_{};
  std::uint64_t refused_ = 0;  // Since the last line.
  std::thread thread_;
};

}  // namespace sida::transport::zeromq

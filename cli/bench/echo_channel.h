// A tensor channel to a thread that sends every message back: what a round trip between trunk and worker costs without
// their work.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "common/base/result.h"
#include "common/runtime/wake_event.h"
#include "common/transport/transport.h"

namespace sida::bench {

// Belongs to one thread; the echo has one of its own.
class EchoChannel {
 public:
  // Serves and connects at `endpoint` (a wildcard port is resolved).
  static Result<std::unique_ptr<EchoChannel>> open(transport::Transport& transport, const std::string& endpoint);
  ~EchoChannel();
  EchoChannel(const EchoChannel&) = delete;
  EchoChannel& operator=(const EchoChannel&) = delete;

  // Sends, and waits as agents do (transport/control_link.h) until the answer is here. Blocks for at most ten seconds,
  // then kDeadlineExceeded.
  Result<transport::TensorMessage> round_trip(transport::TensorMessage message);

 private:
  EchoChannel(std::unique_ptr<transport::TensorServer> server, std::unique_ptr<transport::TensorClient> client);
  static void echo(transport::TensorServer& server, const WakeEvent& stop);

  std::unique_ptr<transport::TensorClient> client_;
  WakeEvent stop_;
  std::thread thread_;
};

// Two threads that wake each other with an event and poll(2), nothing else: seconds of a round trip. The floor of every
// channel whose ends sleep while they wait.
double wake_round_trip(int repeats);

}  // namespace sida::bench

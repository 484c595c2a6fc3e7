// The tensor channel seam: envelopes with rows, between one router's trunk thread and one worker.
// Negotiated in Hello and Welcome. Implementations: ZeroMQ frames, shared memory and in-process; NCCL fits behind it.
// Threads and waiting: as control_link.h. A client has no thread of its own to look for its server: while there is none
// its descriptor becomes readable now and then, and receive() looks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/transport/control_link.h"
#include "common/transport/frame.h"

namespace sida::transport {

// `rows` is empty for messages without a tensor (Cancel, Estimate, DispatchFailure). Its memory is not written by
// anyone until the frame is released. Received memory is aligned to 8 bytes.
struct TensorMessage {
  Frame envelope;
  Frame rows;
};

class TensorClient {
 public:
  virtual ~TensorClient() = default;
  // kOverloaded at the high-water mark, nothing sent.
  virtual Result<void> send(TensorMessage message) = 0;
  virtual std::optional<TensorMessage> receive() = 0;
  [[nodiscard]] virtual int wake_descriptor() const = 0;
  // Counts the times that receive() found the connection broken and made anew: what was under way is lost then. Zero
  // for ever where that is told otherwise.
  [[nodiscard]] virtual std::uint64_t interruptions() const = 0;
};

class TensorServer {
 public:
  struct Received {
    PeerId peer;
    TensorMessage message;
  };
  virtual ~TensorServer() = default;
  virtual Result<void> send(PeerId peer, TensorMessage message) = 0;
  virtual std::optional<Received> receive() = 0;
  [[nodiscard]] virtual int wake_descriptor() const = 0;
  [[nodiscard]] virtual const std::string& endpoint() const = 0;
};

}  // namespace sida::transport

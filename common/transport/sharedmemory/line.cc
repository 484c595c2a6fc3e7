#include "common/transport/sharedmemory/line.h"

#include <utility>

#include "common/transport/parts.h"
#include "common/transport/sharedmemory/rendezvous.h"

namespace sida::transport::sharedmemory {
namespace {

Direction outward(End end) {
  return end == End::kServer ? Direction::kToClient : Direction::kToServer;
}

Direction inward(End end) {
  return end == End::kServer ? Direction::kToServer : Direction::kToClient;
}

}  // namespace

Line::Line(Segment segment, End end, const Limits& limits)
    : segment_(std::move(segment)),
      writer_(segment_, outward(end), static_cast<std::size_t>(limits.queue_messages_max)),
      reader_(segment_, inward(end), limits.message_bytes_max),
      message_bytes_max_(limits.message_bytes_max) {}

Result<void> Line::send(const TensorMessage& message) {
  SIDA_TRY(check_sizes(to_parts(message), message_bytes_max_));
  SIDA_TRY(writer_.write(message));
  if (writer_.take_sleeper() && socket_ >= 0) gone_ = gone_ || !ring_bell(socket_);
  return {};
}

Result<std::optional<TensorMessage>> Line::take() {
  auto taken = reader_.read();
  if (taken && *taken) reader_.wake();
  return taken;
}

void Line::heard_bell() {
  gone_ = gone_ || socket_ < 0 || !silence_bell(socket_);
}

}  // namespace sida::transport::sharedmemory

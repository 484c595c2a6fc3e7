#include "common/transport/sharedmemory/client.h"

#include <fcntl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

#include "common/transport/sharedmemory/rendezvous.h"

namespace sida::transport::sharedmemory {
namespace {

constexpr std::chrono::milliseconds kReconnect{100};  // As ZeroMQ's.
// A server that ended while it was awake leaves nobody to ring for: one who only sends looks now and then.
constexpr std::chrono::milliseconds kLookAfter{20};
// With a server that is not there. Twice what it takes until a silent process counts as lost.
constexpr std::chrono::seconds kPatience{2};

void set_timer(int timer, bool on) {
  constexpr long kNanoseconds = std::chrono::nanoseconds(kReconnect).count();
  const itimerspec times{{0, on ? kNanoseconds : 0}, {0, on ? kNanoseconds : 0}};
  timerfd_settime(timer, 0, &times, nullptr);
}

}  // namespace

Result<std::unique_ptr<Client>> Client::make(std::string path, const Limits& limits) {
  Descriptor timer(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  Descriptor wake(timer ? fcntl(timer.get(), F_DUPFD_CLOEXEC, 0) : -1);
  if (!wake) return fail(ErrorCode::kIo, "shared memory: no more descriptors");
  std::unique_ptr<Client> client(new Client(std::move(path), limits, std::move(timer), std::move(wake)));
  SIDA_TRY(client->make_line());
  client->connect();
  return client;
}

Client::Client(std::string path, const Limits& limits, Descriptor timer, Descriptor wake)
    : path_(std::move(path)), limits_(limits), timer_(std::move(timer)), wake_(std::move(wake)) {
  set_timer(timer_.get(), true);
}

Result<void> Client::make_line() {
  auto segment = Segment::make(ring_bytes_for(limits_.message_bytes_max));
  if (!segment) return tl::unexpected(std::move(segment).error());
  line_ = std::make_unique<Line>(std::move(*segment), End::kClient, limits_);
  line_->sleep();  // Nothing has come yet, and the next server rings for the first message.
  return {};
}

void Client::connect() {
  look_after_at_ = steady_now() + kReconnect;
  if (!line_ && !make_line()) return;
  const auto socket = meet_server(path_, line_->segment().descriptor(), line_->segment().ring_bytes());
  if (!socket) return;
  // The socket takes over the number that is waited on.
  if (dup3(socket->get(), wake_.get(), O_CLOEXEC) < 0) return;
  set_timer(timer_.get(), false);
  line_->attach(wake_.get());
  connected_ = true;
}

// What was not received is lost, as with every server that ends.
void Client::disconnect() {
  turned_down_ = connected_ && line_->segment().accepted().load(std::memory_order_acquire) == 0;
  if (connected_) alone_since_ = steady_now();
  connected_ = false;
  line_.reset();
  dup3(timer_.get(), wake_.get(), O_CLOEXEC);
  set_timer(timer_.get(), true);
  if (turned_down_) {
    look_after_at_ = steady_now() + kReconnect;
  } else {
    connect();
  }
}

void Client::look_after_connection(TimePoint now) {
  if (now < look_after_at_) return;
  look_after_at_ = now + kLookAfter;
  if (!connected_) {
    connect();
    return;
  }
  line_->heard_bell();
}

Result<void> Client::may_send(TimePoint now) {
  if (turned_down_ && connected_) {
    turned_down_ = line_->segment().accepted().load(std::memory_order_acquire) == 0;
  }
  if (turned_down_) return fail(ErrorCode::kUnavailable, "nobody at " + path_ + " can map our memory");
  if (!connected_ && now - alone_since_ > kPatience) return fail(ErrorCode::kUnavailable, "nobody serves " + path_);
  if (!line_) return fail(ErrorCode::kOverloaded, "no memory for a channel");
  return {};
}

Result<void> Client::send(TensorMessage message) {
  const TimePoint now = steady_now();
  look_after_connection(now);
  if (line_ && line_->gone()) disconnect();
  SIDA_TRY(may_send(now));
  auto sent = line_->send(message);
  if (!sent && sent.error().code == ErrorCode::kUnavailable) disconnect();
  return sent;
}

std::optional<TensorMessage> Client::receive() {
  for (const bool looked : {false, true}) {
    if (line_) {
      auto taken = line_->take();
      if (!taken) {
        disconnect();
        return TensorMessage{};  // The codec refuses an empty message, so the receiver counts it.
      }
      if (*taken) return std::move(*taken);
    }
    if (looked) break;
    if (connected_) {
      line_->heard_bell();
      line_->sleep();
    } else {
      std::uint64_t expired = 0;
      [[maybe_unused]] const auto read_bytes = read(timer_.get(), &expired, sizeof expired);
      look_after_connection(steady_now());
    }
  }
  if (line_ && line_->gone()) disconnect();
  return std::nullopt;
}

}  // namespace sida::transport::sharedmemory

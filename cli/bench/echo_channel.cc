#include "cli/bench/echo_channel.h"

#include <array>
#include <utility>

#include "cli/bench/stopwatch.h"
#include "common/runtime/waiter.h"

namespace sida::bench {
namespace {

constexpr std::chrono::seconds kPatience{10};

}  // namespace

Result<std::unique_ptr<EchoChannel>> EchoChannel::open(transport::Transport& transport, const std::string& endpoint) {
  auto server = transport.serve_tensors(endpoint);
  if (!server) return tl::unexpected(std::move(server).error());
  auto client = transport.connect_tensors((*server)->endpoint());
  if (!client) return tl::unexpected(std::move(client).error());
  return std::unique_ptr<EchoChannel>(new EchoChannel(std::move(*server), std::move(*client)));
}

EchoChannel::EchoChannel(std::unique_ptr<transport::TensorServer> server,
                         std::unique_ptr<transport::TensorClient> client)
    : client_(std::move(client)), thread_([this, owned = std::move(server)]() mutable {
        echo(*owned, stop_);
        owned.reset();  // On the thread that used it.
      }) {}

EchoChannel::~EchoChannel() {
  stop_.signal();
  thread_.join();
}

void EchoChannel::echo(transport::TensorServer& server, const WakeEvent& stop) {
  const std::array descriptors{server.wake_descriptor(), stop.descriptor()};
  while (!is_readable(stop.descriptor())) {
    while (auto received = server.receive()) {
      // One message is on its way at a time: nothing can be full, and a client that is gone needs no answer.
      (void)server.send(received->peer, std::move(received->message));
    }
    wait_readable(descriptors, steady_now() + kPatience);
  }
}

Result<transport::TensorMessage> EchoChannel::round_trip(transport::TensorMessage message) {
  SIDA_TRY(client_->send(std::move(message)));
  const TimePoint until = steady_now() + kPatience;
  const int descriptor = client_->wake_descriptor();
  auto received = client_->receive();
  while (!received) {
    if (steady_now() >= until) return fail(ErrorCode::kDeadlineExceeded, "a message was not echoed within 10 s");
    wait_readable({&descriptor, 1}, until);
    received = client_->receive();
  }
  return std::move(*received);
}

double wake_round_trip(int repeats) {
  WakeEvent there;
  WakeEvent back;
  const auto wait_for = [](WakeEvent& event) {
    const int descriptor = event.descriptor();
    while (!is_readable(descriptor)) wait_readable({&descriptor, 1}, steady_now() + kPatience);
    event.clear();
  };
  std::thread other([&] {
    for (int repeat = 0; repeat < repeats; ++repeat) {
      wait_for(there);
      back.signal();
    }
  });
  const Stopwatch watch(Time::kWall);
  for (int repeat = 0; repeat < repeats; ++repeat) {
    there.signal();
    wait_for(back);
  }
  const double seconds = watch.seconds() / repeats;
  other.join();
  return seconds;
}

}  // namespace sida::bench

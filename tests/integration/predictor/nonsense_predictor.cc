// A predictor that speaks the protocol and tells nonsense: for tests of what a router makes of it. From a seed:
//   * entries for the right sequence with random experts and confidences, some twice, some for tokens that do not
//   exist;
//   * entries of unknown sequences, layers and experts, and of another model;
//   * messages that a predictor never sends, and bytes that are no message at all.
// nonsense_predictor ENDPOINT MODEL SEED
#include <algorithm>
#include <cstdio>
#include <random>
#include <string>
#include <variant>

#include "common/model/model_directory.h"
#include "common/proto/codec.h"
#include "common/runtime/waiter.h"
#include "common/transport/transport.h"

namespace sida {
namespace {

class Nonsense {
 public:
  Nonsense(const model::ModelDirectory& model, std::unique_ptr<transport::ControlServer> link, std::uint64_t seed)
      : model_(model), link_(std::move(link)), random_(seed) {}

  void turn(TimePoint now) {
    while (auto received = link_->receive()) take(received->peer, received->message.bytes());
    if (router_.value == 0 || now < next_heartbeat_) return;
    next_heartbeat_ = now + kHeartbeatInterval;
    send(proto::Heartbeat{++beats_, false});
  }

 private:
  void take(transport::PeerId from, std::span<const std::byte> bytes) {
    router_ = from;
    const auto envelope = proto::decode(bytes);
    if (!envelope) return;
    if (std::holds_alternative<proto::Hello>(envelope->message)) {
      send(proto::Welcome{.worker = WorkerId{77}, .name = "nonsense", .model = model_.fingerprint()});
    } else if (const auto* predict = std::get_if<proto::Predict>(&envelope->message)) {
      for (int times = below(4); times >= 0; --times) say_something(predict->sequence, 0, predict->tokens.size());
    } else if (const auto* advance = std::get_if<proto::Advance>(&envelope->message)) {
      for (int times = below(2); times >= 0; --times) say_something(advance->sequence, advance->position, 1);
    }
  }

  void say_something(SequenceId sequence, std::size_t first, std::size_t tokens) {
    proto::HashTableEntries entries = random_entries(sequence, first, tokens);
    switch (below(10)) {
      case 0:
        entries.sequence.value += static_cast<std::uint64_t>(below(1000)) + 1;
        return send(entries);
      case 1:
        entries.model[0] ^= 1U;
        return send(entries);
      case 2:
        return send(proto::Residency{.resident = {{LayerId{below(1000)}, ExpertId{below(1000)}}}});
      case 3:
        return send(proto::DispatchResult{.id = {.layer = LayerId{below(4)}}});
      case 4:
        return send_damaged(entries);
      default:
        return send(entries);
    }
  }

  proto::HashTableEntries random_entries(SequenceId sequence, std::size_t first, std::size_t tokens) {
    const std::int32_t layers = model_.geometry().moe_layers();
    proto::HashTableEntries entries{.sequence = sequence, .model = model_.fingerprint()};
    entries.first_layer = LayerId{below(layers)};
    entries.layers =
        static_cast<std::uint32_t>(1 + below(layers - entries.first_layer.value + (below(8) == 0 ? 2 : 0)));
    entries.first_token =
        static_cast<std::uint32_t>(first) + static_cast<std::uint32_t>(below(8) == 0 ? below(100) : 0);
    entries.tokens = static_cast<std::uint32_t>(std::min<std::size_t>(tokens, 500));
    entries.k = static_cast<std::uint8_t>(1 + below(proto::kMaxExpertsPerToken));
    const auto experts = static_cast<int>(model_.config().num_experts) + (below(16) == 0 ? 3 : 0);
    const std::size_t count = std::size_t{entries.layers} * entries.tokens * entries.k;
    for (std::size_t entry = 0; entry < count; ++entry) {
      entries.experts.push_back(static_cast<std::int16_t>(below(experts + 1) - 1));
      entries.confidences.push_back(static_cast<float>(below(1001)) / 1000.0F);
    }
    return entries;
  }

  void send_damaged(const proto::Message& message) {
    auto bytes = proto::encode({.header = {}, .message = message});
    for (int flips = below(8); flips >= 0; --flips) {
      bytes[static_cast<std::size_t>(below(static_cast<int>(bytes.size())))] = static_cast<std::byte>(below(256));
    }
    if (below(3) == 0) bytes.resize(static_cast<std::size_t>(below(static_cast<int>(bytes.size()))));
    [[maybe_unused]] const auto sent = link_->send(router_, transport::Frame::take(std::move(bytes)));
  }

  void send(const proto::Message& message) {
    auto bytes = proto::encode({.header = {}, .message = message});
    [[maybe_unused]] const auto sent = link_->send(router_, transport::Frame::take(std::move(bytes)));
  }

  int below(int end) { return std::uniform_int_distribution<int>(0, std::max(1, end) - 1)(random_); }

  const model::ModelDirectory& model_;
  std::unique_ptr<transport::ControlServer> link_;
  std::mt19937_64 random_;
  transport::PeerId router_{};
  std::uint64_t beats_ = 0;
  TimePoint next_heartbeat_{};
};

int serve(const std::string& endpoint, const std::string& directory, std::uint64_t seed) {
  const auto model = model::ModelDirectory::open(directory);
  const auto transport = transport::make_zeromq_transport({});
  auto link = transport->serve_control(endpoint);
  if (!model || !link) return 1;
  const int wake = (*link)->wake_descriptor();
  Nonsense nonsense(*model, std::move(*link), seed);
  std::fprintf(stderr, "ready seed=%llu\n", static_cast<unsigned long long>(seed));
  while (true) {  // To the end by SIGTERM, which needs no handling: it keeps nothing.
    nonsense.turn(steady_now());
    wait_readable({&wake, 1}, steady_now() + std::chrono::milliseconds(20));
  }
}

}  // namespace
}  // namespace sida

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  return sida::serve(argv[1], argv[2], std::stoull(argv[3]));
}

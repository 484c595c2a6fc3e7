// The combinations that the conformance suite runs over: two kinds of links on four transports, and rows through
// shared memory.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "common/runtime/waiter.h"
#include "common/transport/keys/keyring.h"
#include "common/transport/transport.h"
#include "tests/support/temporary_directory.h"

namespace sida::transport {

inline Frame frame_of(const std::string& text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return Frame::take({begin, begin + text.size()});
}

inline std::string text_of(const Frame& frame) {
  return {reinterpret_cast<const char*>(frame.data()), frame.size()};
}

struct ControlKind {
  using Client = ControlClient;
  using Server = ControlServer;
  using Message = Frame;
  static auto serve(Transport& transport, const std::string& endpoint) { return transport.serve_control(endpoint); }
  static auto connect(Transport& transport, const std::string& endpoint) { return transport.connect_control(endpoint); }
  static Message message(Frame content) { return content; }
  static const Frame& content(const Message& message) { return message; }
};

// The content is the rows, so that the suite covers them; the envelope says how long they are.
struct TensorKind {
  using Client = TensorClient;
  using Server = TensorServer;
  using Message = TensorMessage;
  static auto serve(Transport& transport, const std::string& endpoint) { return transport.serve_tensors(endpoint); }
  static auto connect(Transport& transport, const std::string& endpoint) { return transport.connect_tensors(endpoint); }
  static Message message(const Frame& content) { return {frame_of(std::to_string(content.size())), content}; }
  static const Frame& content(const Message& message) {
    EXPECT_EQ(text_of(message.envelope), std::to_string(message.rows.size()));
    return message.rows;
  }
};

// listen(): where a server may listen; the server says where that is. listen_at_known_place(): an endpoint that a
// client can connect to before there is a server.
struct OverIpc {
  static auto make(const Limits& limits) { return make_zeromq_transport(limits); }
  std::string listen() const { return "ipc://" + (directory.path() / "server.sock").string(); }
  std::string listen_at_known_place() const { return listen(); }
  test::TemporaryDirectory directory;
};

struct OverTcp {
  static auto make(const Limits& limits) { return make_zeromq_transport(limits); }
  static std::string listen() { return "tcp://127.0.0.1:*"; }
  // A port that is free now.
  static std::string listen_at_known_place() {
    const int probe = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    SIDA_CHECK(bind(probe, reinterpret_cast<const sockaddr*>(&address), size) == 0);
    SIDA_CHECK(getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    close(probe);
    return "tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
};

// Encrypted, on loopback: a transport with keys encrypts all its TCP links. Both sides are the one known peer.
struct OverCurve : OverTcp {
  static auto make(const Limits& limits) {
    LinkKeys keys{.own = make_key_pair(), .by_name = {}, .allowed = {}};
    keys.by_name[""] = {keys.own.public_key};
    keys.allowed = {keys.own.public_key};
    return make_zeromq_transport(limits, std::make_shared<Keyring>(keys));
  }
};

struct OverSharedMemory {
  static auto make(const Limits& limits) { return make_host_transport(limits); }
  std::string listen() const { return "shm://" + (directory.path() / "server.sock").string(); }
  std::string listen_at_known_place() const { return listen(); }
  test::TemporaryDirectory directory;
};

struct InProcess {
  static auto make(const Limits& limits) { return make_in_process_transport(limits); }
  static std::string listen() { return "inproc://server"; }
  static std::string listen_at_known_place() { return listen(); }
};

template <typename LinkKind, typename Wire>
struct Combination {
  using Kind = LinkKind;
  using Over = Wire;
};

using Combinations = testing::Types<
    Combination<ControlKind, OverIpc>, Combination<ControlKind, OverTcp>, Combination<ControlKind, InProcess>,
    Combination<TensorKind, OverIpc>, Combination<TensorKind, OverTcp>, Combination<ControlKind, OverCurve>,
    Combination<TensorKind, OverCurve>, Combination<TensorKind, InProcess>, Combination<TensorKind, OverSharedMemory>>;

struct CombinationName {
  template <typename C>
  static std::string GetName(int) {  // NOLINT: GoogleTest's name.
    const std::string kind = std::is_same_v<typename C::Kind, ControlKind> ? "Control" : "Tensor";
    if (std::is_same_v<typename C::Over, OverIpc>) return kind + "OverIpc";
    if (std::is_same_v<typename C::Over, OverTcp>) return kind + "OverTcp";
    if (std::is_same_v<typename C::Over, OverCurve>) return kind + "OverCurve";
    if (std::is_same_v<typename C::Over, OverSharedMemory>) return kind + "OverSharedMemory";
    return kind + "InProcess";
  }
};

// How long a test waits for what must happen before it fails.
inline constexpr std::chrono::seconds kPatience{20};

// Waits as agents do: receive until nothing comes, then wait on the descriptor.
template <typename Link>
auto receive_from(Link& link) {
  const TimePoint until = steady_now() + kPatience;
  auto received = link.receive();
  while (!received && steady_now() < until) {
    const int descriptor = link.wake_descriptor();
    wait_readable({&descriptor, 1}, until);
    received = link.receive();
  }
  return received;
}

// The same, in the life of another link's agent: that one is received from whenever it asks for it.
template <typename Link, typename Other>
auto receive_while_driving(Link& link, Other& other) {
  const TimePoint until = steady_now() + kPatience;
  auto received = link.receive();
  while (!received && steady_now() < until) {
    EXPECT_FALSE(other.receive().has_value());
    const int descriptors[] = {link.wake_descriptor(), other.wake_descriptor()};
    wait_readable(descriptors, until);
    received = link.receive();
  }
  return received;
}

}  // namespace sida::transport

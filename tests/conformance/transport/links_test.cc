// What every control link and every tensor channel must do, whatever carries it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "tests/conformance/transport/link_kinds.h"

namespace sida::transport {
namespace {

template <typename C>
class Link : public testing::Test {
 protected:
  using Kind = typename C::Kind;
  using Client = std::unique_ptr<typename Kind::Client>;
  using Server = std::unique_ptr<typename Kind::Server>;

  Server serve(const std::string& endpoint) {
    auto server = Kind::serve(*transport_, endpoint);
    EXPECT_TRUE(server.has_value()) << server.error().message;
    return std::move(*server);
  }
  Server serve() { return serve(over_.listen()); }
  Client connect(const std::string& endpoint) {
    auto client = Kind::connect(*transport_, endpoint);
    EXPECT_TRUE(client.has_value()) << client.error().message;
    return std::move(*client);
  }
  // A server again where one has just ended. The operating system may need a moment to free a port.
  Server serve_again(const std::string& endpoint) {
    const TimePoint until = steady_now() + kPatience;
    auto server = Kind::serve(*transport_, endpoint);
    while (!server && steady_now() < until) {
      std::this_thread::yield();
      server = Kind::serve(*transport_, endpoint);
    }
    EXPECT_TRUE(server.has_value()) << server.error().message;
    return std::move(*server);
  }

  static auto message(const std::string& text) { return Kind::message(frame_of(text)); }
  static std::string text(const typename Kind::Message& message) { return text_of(Kind::content(message)); }
  static std::string received_text(auto& client) {
    const auto received = receive_from(client);
    return received ? text(*received) : "nothing";
  }

  static constexpr int kQueueMessagesMax = 64;
  typename C::Over over_;
  std::unique_ptr<Transport> transport_ = C::Over::make(
      {.queue_messages_max = kQueueMessagesMax, .message_bytes_max = 80U << 20U, .control_bytes_max = 80U << 20U});
};

TYPED_TEST_SUITE(Link, Combinations, CombinationName);

TYPED_TEST(Link, CarriesMessagesBothWays) {
  auto server = this->serve();
  auto client = this->connect(server->endpoint());
  ASSERT_TRUE(client->send(this->message("ping")));
  const auto received = receive_from(*server);
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(this->text(received->message), "ping");
  ASSERT_TRUE(server->send(received->peer, this->message("pong")));
  EXPECT_EQ(this->received_text(*client), "pong");
}

TYPED_TEST(Link, ReceivesNothingWhereNothingWasSent) {
  auto server = this->serve();
  auto client = this->connect(server->endpoint());
  EXPECT_FALSE(server->receive().has_value());
  EXPECT_FALSE(client->receive().has_value());
}

TYPED_TEST(Link, CarriesEmptyMessages) {
  auto server = this->serve();
  auto client = this->connect(server->endpoint());
  ASSERT_TRUE(client->send(TypeParam::Kind::message(Frame())));
  const auto received = receive_from(*server);
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(this->text(received->message), "");
}

TYPED_TEST(Link, KeepsTheOrderOfEachPeer) {
  auto server = this->serve();
  std::vector<typename Link<TypeParam>::Client> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(this->connect(server->endpoint()));
  for (int number = 0; number < 16; ++number) {
    for (std::size_t i = 0; i < clients.size(); ++i) {
      ASSERT_TRUE(clients[i]->send(this->message(std::to_string(i) + ":" + std::to_string(number))));
    }
  }
  std::map<PeerId, std::pair<std::string, int>> seen;  // Who, and how many.
  for (int i = 0; i < 64; ++i) {
    const auto received = receive_from(*server);
    ASSERT_TRUE(received.has_value());
    const std::string text = this->text(received->message);
    auto& [name, count] = seen[received->peer];
    if (count == 0) name = text.substr(0, 2);
    ASSERT_EQ(text, name + std::to_string(count++));
  }
  EXPECT_EQ(seen.size(), clients.size());
}

TYPED_TEST(Link, AnswersEachOfManyClients) {
  auto server = this->serve();
  std::vector<typename Link<TypeParam>::Client> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(this->connect(server->endpoint()));
    ASSERT_TRUE(clients.back()->send(this->message(std::to_string(i))));
  }
  std::set<PeerId> peers;
  for (int i = 0; i < 50; ++i) {
    const auto received = receive_from(*server);
    ASSERT_TRUE(received.has_value());
    peers.insert(received->peer);
    ASSERT_TRUE(server->send(received->peer, this->message("to " + this->text(received->message))));
  }
  EXPECT_EQ(peers.size(), 50U);
  for (int i = 0; i < 50; ++i)
    EXPECT_EQ(this->received_text(*clients[static_cast<std::size_t>(i)]), "to " + std::to_string(i));
}

TYPED_TEST(Link, CarriesFramesOfSixtyFourMebibytes) {
  auto server = this->serve();
  auto client = this->connect(server->endpoint());
  std::vector<std::byte> big(64U << 20U);
  for (std::size_t i = 0; i < big.size(); i += 4093) big[i] = static_cast<std::byte>(i * 31);
  const Frame sent = Frame::take(std::move(big));
  ASSERT_TRUE(client->send(TypeParam::Kind::message(sent)));
  const auto received = receive_from(*server);
  ASSERT_TRUE(received.has_value());
  const Frame& content = TypeParam::Kind::content(received->message);
  ASSERT_EQ(content.size(), sent.size());
  EXPECT_EQ(std::memcmp(content.data(), sent.data(), sent.size()), 0);
}

TYPED_TEST(Link, AlignsWhatItReceives) {
  auto server = this->serve();
  auto client = this->connect(server->endpoint());
  for (std::size_t size : {1, 3, 40, 1001, 1536, 9000, 20001}) {
    ASSERT_TRUE(client->send(this->message(std::string(size, 'x'))));
    const auto received = receive_from(*server);
    ASSERT_TRUE(received.has_value());
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(TypeParam::Kind::content(received->message).data()) % 8, 0U) << size;
  }
}

TYPED_TEST(Link, KeepsMemoryAliveUntilItIsSentAndReleasesItThen) {
  auto server = this->serve();
  auto client = this->connect(server->endpoint());
  auto memory = std::make_shared<std::vector<std::byte>>(1U << 20U, std::byte{7});
  const std::weak_ptr<std::vector<std::byte>> watch = memory;
  ASSERT_TRUE(client->send(TypeParam::Kind::message(Frame(memory->data(), memory->size(), memory))));
  memory.reset();
  {
    const auto received = receive_from(*server);
    ASSERT_TRUE(received.has_value());
    EXPECT_EQ(TypeParam::Kind::content(received->message).bytes().back(), std::byte{7});
  }
  const TimePoint until = steady_now() + kPatience;
  while (!watch.expired() && steady_now() < until) std::this_thread::yield();
  EXPECT_TRUE(watch.expired());
}

TYPED_TEST(Link, ReleasesTheMemoryOfRefusedMessages) {
  auto server = this->serve();
  auto memory = std::make_shared<std::vector<std::byte>>(1U << 20U);
  const std::weak_ptr<std::vector<std::byte>> watch = memory;
  EXPECT_FALSE(server->send(PeerId{77}, TypeParam::Kind::message(Frame(memory->data(), memory->size(), memory))));
  memory.reset();
  EXPECT_TRUE(watch.expired());
}

TYPED_TEST(Link, KeepsReceivedMemoryAfterTheLinkIsGone) {
  auto server = this->serve();
  auto client = this->connect(server->endpoint());
  ASSERT_TRUE(client->send(this->message(std::string(100000, 'x'))));
  const auto received = receive_from(*server);
  ASSERT_TRUE(received.has_value());
  client.reset();
  server.reset();
  this->transport_.reset();
  EXPECT_EQ(this->text(received->message), std::string(100000, 'x'));
}

TYPED_TEST(Link, RefusesMessagesBeyondTheSizeLimit) {
  auto server = this->serve();
  auto client = this->connect(server->endpoint());
  const auto sent = client->send(this->message(std::string((80U << 20U) + 1, 'x')));
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().code, ErrorCode::kInvalidArgument);
  ASSERT_TRUE(client->send(this->message("small")));
  const auto received = receive_from(*server);
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(this->text(received->message), "small");
}

TYPED_TEST(Link, QueuesForAServerThatIsNotThereYetUpToTheBound) {
  const std::string endpoint = this->over_.listen_at_known_place();
  auto client = this->connect(endpoint);
  int accepted = 0;
  Result<void> sent;
  while (accepted <= this->kQueueMessagesMax && (sent = client->send(this->message(std::to_string(accepted)))))
    ++accepted;
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().code, ErrorCode::kOverloaded);
  EXPECT_EQ(accepted, this->kQueueMessagesMax);
  auto server = this->serve(endpoint);
  for (int i = 0; i < accepted; ++i) {
    const auto received = receive_while_driving(*server, *client);
    ASSERT_TRUE(received.has_value());
    ASSERT_EQ(this->text(received->message), std::to_string(i));
  }
}

// The sender learns it at once and nothing that was accepted is lost.
TYPED_TEST(Link, RefusesMoreForAClientThatDoesNotRead) {
  auto server = this->serve();
  auto client = this->connect(server->endpoint());
  ASSERT_TRUE(client->send(this->message("hello")));
  const auto hello = receive_from(*server);
  ASSERT_TRUE(hello.has_value());
  const std::string big(1U << 18U, 'x');  // Larger than what the kernel would buffer for long.
  int accepted = 0;
  Result<void> sent;
  while (accepted < 1000 && (sent = server->send(hello->peer, this->message(big + std::to_string(accepted)))))
    ++accepted;
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().code, ErrorCode::kOverloaded);
  for (int i = 0; i < accepted; ++i) {
    const auto received = receive_from(*client);
    ASSERT_TRUE(received.has_value()) << i << " of " << accepted;
    // Not compared as a whole: GoogleTest would look for the difference for minutes.
    ASSERT_TRUE(this->text(*received) == big + std::to_string(i)) << i << " of " << accepted;
  }
  // There is room again.
  const TimePoint until = steady_now() + kPatience;
  while (!(sent = server->send(hello->peer, this->message("more"))) && steady_now() < until) std::this_thread::yield();
  ASSERT_TRUE(sent.has_value());
  EXPECT_EQ(this->received_text(*client), "more");
}

TYPED_TEST(Link, DoesNotLetASlowClientDelayAnother) {
  auto server = this->serve();
  auto slow = this->connect(server->endpoint());
  auto quick = this->connect(server->endpoint());
  ASSERT_TRUE(slow->send(this->message("slow")));
  const PeerId slow_peer = receive_from(*server)->peer;
  ASSERT_TRUE(quick->send(this->message("quick")));
  const PeerId quick_peer = receive_from(*server)->peer;
  for (int i = 0; i < 1000 && server->send(slow_peer, this->message(std::string(1U << 18U, 'x'))); ++i) {
  }
  ASSERT_TRUE(server->send(quick_peer, this->message("for you")));
  EXPECT_EQ(this->received_text(*quick), "for you");
}

TYPED_TEST(Link, KnowsNoPeerThatItHasNotHeard) {
  auto server = this->serve();
  for (std::uint64_t id : {0, 1, 99}) {
    const auto sent = server->send(PeerId{id}, this->message("anyone?"));
    ASSERT_FALSE(sent.has_value());
    EXPECT_EQ(sent.error().code, ErrorCode::kUnavailable);
  }
}

TYPED_TEST(Link, FindsAPeerGoneAfterItsEnd) {
  auto server = this->serve();
  auto client = this->connect(server->endpoint());
  ASSERT_TRUE(client->send(this->message("hello")));
  const auto hello = receive_from(*server);
  ASSERT_TRUE(hello.has_value());
  client.reset();
  // A send just after the end may still be accepted.
  Result<void> sent;
  const TimePoint until = steady_now() + kPatience;
  while ((sent = server->send(hello->peer, this->message("still there?"))) && steady_now() < until) {
    std::this_thread::yield();
  }
  ASSERT_FALSE(sent.has_value());
  EXPECT_THAT(sent.error().code, testing::AnyOf(ErrorCode::kUnavailable, ErrorCode::kOverloaded));
}

TYPED_TEST(Link, NeverUsesAPeerIdAgain) {
  auto server = this->serve();
  std::set<PeerId> peers;
  for (int i = 0; i < 20; ++i) {
    auto client = this->connect(server->endpoint());
    ASSERT_TRUE(client->send(this->message("hello")));
    const auto hello = receive_from(*server);
    ASSERT_TRUE(hello.has_value());
    EXPECT_TRUE(peers.insert(hello->peer).second);
  }
}

TYPED_TEST(Link, KeepsAPeerIdWhileTheClientLives) {
  auto server = this->serve();
  auto client = this->connect(server->endpoint());
  std::set<PeerId> peers;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(client->send(this->message("hello")));
    peers.insert(receive_from(*server)->peer);
  }
  EXPECT_EQ(peers.size(), 1U);
}

TYPED_TEST(Link, ConnectsAgainAfterTheServerWasReplaced) {
  auto server = this->serve();
  const std::string endpoint = server->endpoint();
  auto client = this->connect(endpoint);
  ASSERT_TRUE(client->send(this->message("first")));
  ASSERT_TRUE(receive_from(*server).has_value());
  server.reset();
  server = this->serve_again(endpoint);
  // What is sent around the change may be lost, so the client repeats it until it is heard.
  const TimePoint until = steady_now() + kPatience;
  std::optional<typename TypeParam::Kind::Server::Received> received;
  while (!received && steady_now() < until) {
    std::ignore = client->send(this->message("again"));
    const int descriptor = server->wake_descriptor();
    wait_readable({&descriptor, 1}, steady_now() + std::chrono::milliseconds(10));
    received = server->receive();
  }
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(this->text(received->message), "again");
  ASSERT_TRUE(server->send(received->peer, this->message("welcome back")));
  EXPECT_EQ(this->received_text(*client), "welcome back");
}

TYPED_TEST(Link, RefusesAnEndpointThatALiveServerHas) {
  auto server = this->serve();
  const auto second = TypeParam::Kind::serve(*this->transport_, server->endpoint());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kIo);
  auto client = this->connect(server->endpoint());
  ASSERT_TRUE(client->send(this->message("still yours")));
  EXPECT_TRUE(receive_from(*server).has_value());
}

TYPED_TEST(Link, RefusesEndpointsOfAnUnknownKind) {
  for (const char* endpoint : {"", "pigeon://home", "inproc://", "ipc://", "tcp://"}) {
    const auto served = TypeParam::Kind::serve(*this->transport_, endpoint);
    ASSERT_FALSE(served.has_value()) << endpoint;
    EXPECT_EQ(served.error().code, ErrorCode::kInvalidArgument) << endpoint;
    const auto connected = TypeParam::Kind::connect(*this->transport_, endpoint);
    ASSERT_FALSE(connected.has_value()) << endpoint;
    EXPECT_EQ(connected.error().code, ErrorCode::kInvalidArgument) << endpoint;
  }
}

// Both kinds share their code below the message, so one is tried less often; a sanitizer takes ten times as long.
constexpr int rounds(bool control) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  return control ? 10000 : 2000;
#else
  return control ? 100000 : 20000;
#endif
}

// Waits on descriptors alone: one lost wake-up and the ball lies still until the patience is over.
TYPED_TEST(Link, LosesNoWakeUp) {
  constexpr int kRounds = rounds(std::is_same_v<typename TypeParam::Kind, ControlKind>);
  auto server = this->serve();
  const std::string endpoint = server->endpoint();
  std::thread returner([&] {
    for (int i = 0; i < kRounds; ++i) {
      const auto received = receive_from(*server);
      if (!received || !server->send(received->peer, received->message)) return;
    }
  });
  auto client = this->connect(endpoint);
  int rounds = 0;
  for (; rounds < kRounds; ++rounds) {
    if (!client->send(this->message(std::to_string(rounds)))) break;
    if (this->received_text(*client) != std::to_string(rounds)) break;
  }
  EXPECT_EQ(rounds, kRounds);
  returner.join();
}

// Both ends send without waiting for each other, so that sends and receives interleave in every order.
TYPED_TEST(Link, LosesNothingUnderLoadFromBothSides) {
  constexpr int kMessages = 20000;
  auto server = this->serve();
  auto client = this->connect(server->endpoint());
  ASSERT_TRUE(client->send(this->message("hello")));
  const PeerId peer = receive_from(*server)->peer;
  const auto pump = [](auto& link, auto send) {
    const TimePoint until = steady_now() + 3 * kPatience;
    int sent = 0;
    int received = 0;
    while ((sent < kMessages || received < kMessages) && steady_now() < until) {
      bool moved = sent < kMessages && send(sent);
      if (moved) ++sent;
      for (; link.receive(); moved = true) ++received;
      if (moved) continue;
      const int descriptor = link.wake_descriptor();
      // No wake-up is promised for room to send.
      wait_readable({&descriptor, 1}, sent < kMessages ? steady_now() + std::chrono::milliseconds(1) : until);
    }
    return received;
  };
  int at_server = 0;
  std::thread other([&] {
    at_server = pump(*server, [&](int i) { return server->send(peer, this->message(std::to_string(i))).has_value(); });
  });
  const int at_client =
      pump(*client, [&](int i) { return client->send(this->message(std::to_string(i))).has_value(); });
  other.join();
  EXPECT_EQ(at_server, kMessages);
  EXPECT_EQ(at_client, kMessages);
}

}  // namespace
}  // namespace sida::transport

// What encrypted links refuse, and how keys are exchanged while they serve.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <zmq.hpp>

#include "tests/conformance/transport/link_kinds.h"

namespace sida::transport {
namespace {

using testing::HasSubstr;

LinkKeys keys_of(const KeyPair& own, const std::string& peer, const std::vector<std::string>& public_keys) {
  LinkKeys keys{.own = own, .by_name = {}, .allowed = {public_keys.begin(), public_keys.end()}};
  keys.by_name[peer] = public_keys;
  return keys;
}

class Curve : public testing::Test {
 protected:
  void TearDown() override {
    client_.reset();
    server_.reset();
  }

  void connect() {
    auto client = clients_->connect_control({server_->endpoint(), "server"});
    ASSERT_TRUE(client.has_value()) << client.error().message;
    client_ = std::move(*client);
  }
  // A message there and back, sent again as often as links are made anew under it.
  bool talks(const std::string& text) {
    const TimePoint until = steady_now() + kPatience;
    while (steady_now() < until) {
      std::ignore = client_->send(frame_of(text));
      const TimePoint again = steady_now() + std::chrono::milliseconds(50);
      while (steady_now() < again) {
        if (auto received = server_->receive()) std::ignore = server_->send(received->peer, received->message);
        if (const auto answer = client_->receive(); answer && text_of(*answer) == text) return true;
        const int descriptors[] = {client_->wake_descriptor(), server_->wake_descriptor()};
        wait_readable(descriptors, again);
      }
    }
    return false;
  }
  // The server goes on looking until it has counted something.
  template <typename Counted>
  bool counts(Counted counted) {
    const TimePoint until = steady_now() + kPatience;
    while (!counted(server_keys_->refusals()) && steady_now() < until) {
      EXPECT_FALSE(server_->receive().has_value());
      const int descriptor = server_->wake_descriptor();
      wait_readable({&descriptor, 1}, steady_now() + std::chrono::milliseconds(10));
    }
    return counted(server_keys_->refusals());
  }
  bool counts_unknown_key() {
    return counts([](const LinkRefusals& refused) { return refused.unknown_keys > 0; });
  }
  bool counts_handshake() {
    return counts([](const LinkRefusals& refused) { return refused.handshakes > 0; });
  }

  void stranger(const KeyPair* own) {
    stranger_.set(zmq::sockopt::linger, 0);
    if (own != nullptr) {
      stranger_.set(zmq::sockopt::curve_serverkey, server_pair_.public_key);
      stranger_.set(zmq::sockopt::curve_publickey, own->public_key);
      stranger_.set(zmq::sockopt::curve_secretkey, own->secret_key);
    }
    stranger_.connect(server_->endpoint());
    stranger_.send(zmq::buffer(std::string("let me in")), zmq::send_flags::dontwait);
  }

  KeyPair server_pair_ = make_key_pair();
  KeyPair client_pair_ = make_key_pair();
  std::shared_ptr<Keyring> server_keys_ =
      std::make_shared<Keyring>(keys_of(server_pair_, "client", {client_pair_.public_key}));
  std::shared_ptr<Keyring> client_keys_ =
      std::make_shared<Keyring>(keys_of(client_pair_, "server", {server_pair_.public_key}));
  std::unique_ptr<Transport> servers_ = make_zeromq_transport({.message_bytes_max = 1U << 20U}, server_keys_);
  std::unique_ptr<Transport> clients_ = make_zeromq_transport({}, client_keys_);
  std::unique_ptr<ControlServer> server_ = std::move(*servers_->serve_control("tcp://127.0.0.1:*"));
  std::unique_ptr<ControlClient> client_;
  zmq::context_t context_{1};
  zmq::socket_t stranger_{context_, zmq::socket_type::dealer};
};

TEST_F(Curve, ServesAddressesOffLoopback) {
  const auto served = servers_->serve_control("tcp://0.0.0.0:*");
  ASSERT_TRUE(served.has_value()) << served.error().message;
  EXPECT_FALSE(clients_->connect_control({"tcp://0.0.0.0:5555", "server"}).has_value());
  EXPECT_TRUE(clients_->connect_control({"tcp://192.0.2.1:5555", "server"}).has_value());
}

TEST_F(Curve, NamesThePeerWhoseKeyIsMissing) {
  const auto client = clients_->connect_control({server_->endpoint(), "worker-7"});
  ASSERT_FALSE(client.has_value());
  EXPECT_EQ(client.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(client.error().message, AllOf(HasSubstr("worker-7.pub"), HasSubstr("--link-allow")));
}

TEST_F(Curve, RefusesAndCountsUnknownKeys) {
  connect();
  ASSERT_TRUE(talks("before"));
  const KeyPair unknown = make_key_pair();
  stranger(&unknown);
  EXPECT_TRUE(counts_unknown_key());
  EXPECT_TRUE(talks("after"));
}

TEST_F(Curve, RefusesAndCountsPeersWithoutKeys) {
  connect();
  ASSERT_TRUE(talks("before"));
  stranger(nullptr);
  EXPECT_TRUE(counts_handshake());
  EXPECT_TRUE(talks("after"));
}

TEST_F(Curve, RefusesAndCountsBytesThatAreNoHandshake) {
  stranger_ = zmq::socket_t(context_, zmq::socket_type::stream);
  stranger_.set(zmq::sockopt::linger, 0);
  stranger_.connect(server_->endpoint());
  zmq::message_t id;
  ASSERT_TRUE(stranger_.recv(id));
  zmq::message_t empty;
  ASSERT_TRUE(stranger_.recv(empty));
  stranger_.send(id, zmq::send_flags::sndmore);
  stranger_.send(
      zmq::buffer(std::string("GET / HTTP/1.1\r\nHost: somewhere else entirely, with a greeting's length\r\n\r\n")),
      zmq::send_flags::none);
  EXPECT_TRUE(counts_handshake());
}

TEST_F(Curve, EndsIdleStrangersAfterAWhile) {
  stranger_ = zmq::socket_t(context_, zmq::socket_type::stream);
  stranger_.connect(server_->endpoint());
  stranger_.set(zmq::sockopt::rcvtimeo, static_cast<int>(std::chrono::milliseconds(kPatience).count()));
  bool ended = false;  // A stream socket tells of a connection's begin and end by an empty message each.
  for (int empty = 0; !ended;) {
    zmq::message_t id;
    zmq::message_t bytes;
    if (!stranger_.recv(id) || !stranger_.recv(bytes)) break;
    ended = bytes.size() == 0 && ++empty == 2;
  }
  EXPECT_TRUE(ended);
}

TEST_F(Curve, RefusesClientsThatTakeItForAnother) {
  client_keys_->set(keys_of(client_pair_, "server", {make_key_pair().public_key}));
  connect();
  std::ignore = client_->send(frame_of("hello"));
  EXPECT_TRUE(counts_handshake());
  client_keys_->set(keys_of(client_pair_, "server", {server_pair_.public_key}));
  EXPECT_TRUE(talks("now it knows"));
}

TEST_F(Curve, LetsPeersInOnceTheyAreKnown) {
  const KeyPair newer = make_key_pair();
  client_keys_->set(keys_of(newer, "server", {server_pair_.public_key}));
  connect();
  std::ignore = client_->send(frame_of("hello"));
  EXPECT_TRUE(counts_unknown_key());
  server_keys_->set(keys_of(server_pair_, "client", {client_pair_.public_key, newer.public_key}));
  EXPECT_TRUE(talks("let in"));
}

TEST_F(Curve, BelievesNobodyWhoseKeyWasTakenAway) {
  connect();
  ASSERT_TRUE(talks("before"));
  server_keys_->set(keys_of(server_pair_, "client", {make_key_pair().public_key}));
  ASSERT_TRUE(client_->send(frame_of("still there")));
  EXPECT_TRUE(counts_unknown_key());
}

// The library tries a key that does not fit again by itself, many times between two looks.
TEST_F(Curve, AClientThatLooksSeldomFindsTheKeyThatFits) {
  client_keys_->set(keys_of(client_pair_, "server", {make_key_pair().public_key, server_pair_.public_key}));
  connect();
  const TimePoint until = steady_now() + kPatience;
  bool arrived = false;
  while (!arrived && steady_now() < until) {
    std::ignore = client_->send(frame_of("hello"));
    const TimePoint next = steady_now() + std::chrono::milliseconds(150);
    std::ignore = client_->receive();
    while (steady_now() < next) {
      arrived |= server_->receive().has_value();
      const int descriptor = server_->wake_descriptor();
      wait_readable({&descriptor, 1}, next);
    }
  }
  EXPECT_TRUE(arrived);
}

TEST_F(Curve, TakesAClientsNewKeyWhileItServes) {
  connect();
  ASSERT_TRUE(talks("old"));
  const KeyPair newer = make_key_pair();
  server_keys_->set(keys_of(server_pair_, "client", {client_pair_.public_key, newer.public_key}));
  client_keys_->set(keys_of(newer, "server", {server_pair_.public_key}));
  ASSERT_TRUE(talks("both"));
  server_keys_->set(keys_of(server_pair_, "client", {newer.public_key}));
  EXPECT_TRUE(talks("new"));
  EXPECT_GE(client_->interruptions(), 1U);
}

TEST_F(Curve, TakesAServersNewKeyWhileItServes) {
  connect();
  ASSERT_TRUE(talks("old"));
  const KeyPair newer = make_key_pair();
  client_keys_->set(keys_of(client_pair_, "server", {server_pair_.public_key, newer.public_key}));
  ASSERT_TRUE(talks("both"));
  server_keys_->set(keys_of(newer, "client", {client_pair_.public_key}));
  ASSERT_TRUE(talks("new"));
  client_keys_->set(keys_of(client_pair_, "server", {newer.public_key}));
  EXPECT_TRUE(talks("only new"));
}

TEST_F(Curve, CutsLinksToAServerWhoseKeyWasTakenAway) {
  connect();
  ASSERT_TRUE(talks("before"));
  client_keys_->set(keys_of(client_pair_, "another", {server_pair_.public_key}));
  const TimePoint until = steady_now() + kPatience;
  while (client_->interruptions() == 0 && steady_now() < until) EXPECT_FALSE(client_->receive().has_value());
  std::ignore = client_->send(frame_of("nobody hears"));
  const TimePoint quiet = steady_now() + std::chrono::milliseconds(200);
  while (steady_now() < quiet) {
    EXPECT_FALSE(server_->receive().has_value());
    const int descriptor = server_->wake_descriptor();
    wait_readable({&descriptor, 1}, quiet);
  }
}

TEST_F(Curve, CutsOffAPeerThatSendsTooMuch) {
  connect();
  ASSERT_TRUE(talks("before"));
  ASSERT_TRUE(client_->send(frame_of(std::string((1U << 20U) + 1, 'x'))));
  EXPECT_TRUE(talks("after"));
}

}  // namespace
}  // namespace sida::transport

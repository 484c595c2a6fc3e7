// What only links through shared memory can do wrong, between real processes.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "common/transport/sharedmemory/rendezvous.h"
#include "common/transport/sharedmemory/ring.h"
#include "common/transport/sharedmemory/segment.h"
#include "common/transport/unixsocket/descriptor.h"
#include "tests/conformance/transport/link_kinds.h"

namespace sida::transport {
namespace {

constexpr Limits kLimits{.queue_messages_max = 64, .message_bytes_max = 1U << 20U};

// Mappings of segments in this process.
std::size_t shared_mappings() {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  std::size_t count = 0;
  while (std::getline(maps, line)) count += line.find("memfd:sida-rows") != std::string::npos ? 1U : 0U;
  return count;
}

class SharedMemory : public testing::Test {
 protected:
  std::string path() const { return (directory_.path() / "rows.sock").string(); }
  std::string endpoint() const { return "shm://" + path(); }

  std::unique_ptr<TensorServer> serve() { return std::move(*transport_->serve_tensors(endpoint())); }
  std::unique_ptr<TensorClient> connect() { return std::move(*transport_->connect_tensors(endpoint())); }

  // Another process that runs `work` and then ends.
  pid_t fork_to(auto work) {
    const pid_t child = fork();
    if (child == 0) {
      work();
      _exit(0);
    }
    return child;
  }
  // A process that serves and sends back what it gets until it is killed.
  pid_t fork_echo() {
    const std::string endpoint = this->endpoint();
    return fork_to([endpoint] {
      const auto transport = make_host_transport(kLimits);
      const auto server = std::move(*transport->serve_tensors(endpoint));
      while (auto received = receive_from(*server)) {
        [[maybe_unused]] const auto sent = server->send(received->peer, std::move(received->message));
      }
    });
  }
  static void kill_now(pid_t child) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  // What comes back, or an empty text when nothing did before `until`.
  static std::string echo_of(TensorClient& client, const std::string& text, TimePoint until) {
    [[maybe_unused]] const auto sent = client.send({frame_of("e"), frame_of(text)});
    auto received = client.receive();
    while (!received && steady_now() < until) {
      const int descriptor = client.wake_descriptor();
      wait_readable({&descriptor, 1}, until);
      received = client.receive();
    }
    return received ? text_of(received->rows) : "";
  }
  static std::string echo_of(TensorClient& client, const std::string& text) {
    return echo_of(client, text, steady_now() + kPatience);
  }
  // Until the next server answers: what was sent around the change is lost.
  static bool answers_again(TensorClient& client) {
    const TimePoint until = steady_now() + kPatience;
    while (steady_now() < until) {
      if (echo_of(client, "again", steady_now() + std::chrono::milliseconds(20)) == "again") return true;
    }
    return false;
  }
  // Until a message is taken again.
  static bool wait_for_send(TensorClient& client) {
    const TimePoint until = steady_now() + kPatience;
    while (!client.send({frame_of("e"), {}})) {
      if (steady_now() >= until) return false;
      const int descriptor = client.wake_descriptor();
      wait_readable({&descriptor, 1}, until);
      EXPECT_FALSE(client.receive().has_value());
    }
    return true;
  }
  Descriptor raw_connection() const {
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path().c_str());
    SIDA_CHECK(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    return socket;
  }
  // Whether the server hangs up. It is turned meanwhile.
  static bool hangs_up(TensorServer& server, const Descriptor& peer) {
    const TimePoint until = steady_now() + kPatience;
    char byte = 0;
    while (steady_now() < until) {
      EXPECT_FALSE(server.receive().has_value());
      if (recv(peer.get(), &byte, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET) return true;
    }
    return false;
  }

  test::TemporaryDirectory directory_;
  std::unique_ptr<Transport> transport_ = make_host_transport(kLimits);
};

TEST_F(SharedMemory, CarriesMessagesBetweenProcesses) {
  const pid_t child = fork_echo();
  auto client = connect();
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(echo_of(*client, std::to_string(i)), std::to_string(i));
  kill_now(child);
}

TEST_F(SharedMemory, LivesOnWhenItsServerIsKilledAndStartedAgain) {
  auto client = connect();
  for (int round = 0; round < 5; ++round) {
    const pid_t child = fork_echo();
    ASSERT_TRUE(answers_again(*client)) << round;
    // Killed with messages on their way in both directions.
    for (int i = 0; i < 64; ++i) {
      [[maybe_unused]] const auto sent = client->send({frame_of("e"), frame_of(std::string(1U << 18U, 'x'))});
    }
    kill_now(child);
  }
  EXPECT_LE(shared_mappings(), 5U);  // Those of one link: the memory of dead servers is freed.
}

TEST_F(SharedMemory, FreesTheMemoryOfClientsThatAreKilled) {
  auto server = serve();
  for (int round = 0; round < 5; ++round) {
    const std::string endpoint = this->endpoint();
    const pid_t child = fork_to([endpoint] {
      const auto transport = make_host_transport(kLimits);
      const auto client = std::move(*transport->connect_tensors(endpoint));
      SIDA_CHECK(client->send({frame_of("e"), frame_of("hello")}).has_value());
      pause();
    });
    const auto received = receive_from(*server);
    ASSERT_TRUE(received.has_value());
    EXPECT_EQ(text_of(received->message.rows), "hello");
    EXPECT_GT(shared_mappings(), 0U);
    kill_now(child);
    const int descriptor = server->wake_descriptor();
    const TimePoint until = steady_now() + kPatience;
    while (shared_mappings() > 0 && steady_now() < until) {
      wait_readable({&descriptor, 1}, until);  // A death wakes.
      EXPECT_FALSE(server->receive().has_value());
    }
    EXPECT_EQ(shared_mappings(), 0U);
    const auto sent = server->send(received->peer, {frame_of("e"), {}});
    ASSERT_FALSE(sent.has_value());
    EXPECT_EQ(sent.error().code, ErrorCode::kUnavailable);
  }
}

TEST_F(SharedMemory, HandsOnWhatAClientSentBeforeItsEnd) {
  auto server = serve();
  auto client = connect();
  ASSERT_TRUE(client->send({frame_of("e"), frame_of("first")}));
  ASSERT_TRUE(client->send({frame_of("e"), frame_of("last")}));
  client.reset();
  EXPECT_EQ(text_of(receive_from(*server)->message.rows), "first");
  EXPECT_EQ(text_of(receive_from(*server)->message.rows), "last");
  EXPECT_FALSE(server->receive().has_value());
  EXPECT_EQ(shared_mappings(), 0U);
}

TEST_F(SharedMemory, DoesNotWakeWithoutReason) {
  auto server = serve();
  auto client = connect();
  ASSERT_TRUE(client->send({frame_of("e"), {}}));
  const auto received = receive_from(*server);
  ASSERT_TRUE(server->send(received->peer, {frame_of("e"), {}}));
  ASSERT_TRUE(receive_from(*client).has_value());
  EXPECT_FALSE(client->receive().has_value());
  EXPECT_FALSE(server->receive().has_value());
  EXPECT_FALSE(is_readable(client->wake_descriptor()));
  EXPECT_FALSE(is_readable(server->wake_descriptor()));
}

TEST_F(SharedMemory, TurnsAwayWhoeverHandsOverSomethingElse) {
  auto server = serve();
  const auto segment = *sharedmemory::Segment::make(1U << 20U);  // Rings of another size.
  const auto wrong_size = sharedmemory::meet_server(path(), segment.descriptor(), segment.ring_bytes());
  EXPECT_TRUE(hangs_up(*server, *wrong_size));
  const std::size_t right_size = sharedmemory::ring_bytes_for(kLimits.message_bytes_max);
  const Descriptor small(memfd_create("test", MFD_CLOEXEC));  // Would end the server at its first look.
  const auto too_small = sharedmemory::meet_server(path(), small.get(), right_size);
  EXPECT_TRUE(hangs_up(*server, *too_small));
  const auto no_memory = sharedmemory::meet_server(path(), 0, right_size);
  EXPECT_TRUE(hangs_up(*server, *no_memory));
  const auto text = raw_connection();
  ASSERT_EQ(send(text.get(), "GET / HTTP/1.1\r\n", 16, 0), 16);
  EXPECT_TRUE(hangs_up(*server, text));
  const auto silent = raw_connection();  // Harms nobody.

  auto client = connect();
  ASSERT_TRUE(client->send({frame_of("e"), frame_of("hello")}));
  EXPECT_EQ(text_of(receive_from(*server)->message.rows), "hello");
}

TEST_F(SharedMemory, TellsThatAServerTurnsItAway) {
  auto server = serve();
  auto other = make_host_transport({.queue_messages_max = 64, .message_bytes_max = 64U << 20U});
  auto client = std::move(*other->connect_tensors(endpoint()));
  const TimePoint until = steady_now() + kPatience;
  Result<void> sent;
  while ((sent = client->send({frame_of("e"), {}})) && steady_now() < until) {
    EXPECT_FALSE(server->receive().has_value());
    EXPECT_FALSE(client->receive().has_value());
  }
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().code, ErrorCode::kUnavailable);
}

TEST_F(SharedMemory, TellsThatNobodyServesItsPath) {
  auto client = connect();
  ASSERT_TRUE(client->send({frame_of("e"), {}}));
  const TimePoint until = steady_now() + kPatience;
  Result<void> sent;
  while ((sent = client->send({frame_of("e"), {}}), sent || sent.error().code == ErrorCode::kOverloaded) &&
         steady_now() < until) {
    const int descriptor = client->wake_descriptor();
    wait_readable({&descriptor, 1}, until);  // It looks for a server now and then.
    EXPECT_FALSE(client->receive().has_value());
  }
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().code, ErrorCode::kUnavailable);
  auto server = serve();
  EXPECT_TRUE(wait_for_send(*client));
}

TEST_F(SharedMemory, CutsOffAClientThatBreaksTheRules) {
  auto server = serve();
  const std::size_t ring_bytes = sharedmemory::ring_bytes_for(kLimits.message_bytes_max);
  const auto segment = *sharedmemory::Segment::make(ring_bytes);
  const auto peer = sharedmemory::meet_server(path(), segment.descriptor(), ring_bytes);
  segment.control(sharedmemory::Direction::kToServer).written = 48;  // Of a record of no size.
  auto received = receive_from(*server);
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(received->message.envelope.size(), 0U);  // Counted by whoever decodes it.
  std::memset(segment.data(sharedmemory::Direction::kToServer), 0xFF, 48);
  segment.control(sharedmemory::Direction::kToServer).written = 64;
  ASSERT_TRUE(sharedmemory::ring_bell(peer->get()));
  while (server->receive()) {
  }
  EXPECT_TRUE(hangs_up(*server, *peer));
}

TEST_F(SharedMemory, KeepsSocketFilesFromOthersAndLeavesNone) {
  const mode_t before = umask(0);
  auto server = serve();
  umask(before);
  struct stat status {};
  ASSERT_EQ(stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  server.reset();
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

TEST_F(SharedMemory, ForgetsThePeerThatWasSilentForLongest) {
  transport_ = make_host_transport({.queue_messages_max = 64, .message_bytes_max = 1U << 20U, .peers_max = 2});
  auto server = serve();
  auto first = connect();
  ASSERT_TRUE(first->send({frame_of("e"), frame_of("first")}));
  const PeerId first_peer = receive_from(*server)->peer;
  auto second = connect();
  ASSERT_TRUE(second->send({frame_of("e"), frame_of("second")}));
  const PeerId second_peer = receive_from(*server)->peer;
  auto third = connect();
  ASSERT_TRUE(third->send({frame_of("e"), frame_of("third")}));
  EXPECT_EQ(text_of(receive_from(*server)->message.rows), "third");
  EXPECT_FALSE(server->send(first_peer, {frame_of("e"), {}}));
  EXPECT_TRUE(server->send(second_peer, {frame_of("e"), {}}));
}

TEST_F(SharedMemory, RefusesRelativeAndLongPaths) {
  for (const std::string& endpoint :
       {std::string("shm://rows.sock"), "shm:///" + std::string(200, 'x'), std::string("shm://")}) {
    EXPECT_EQ(transport_->serve_tensors(endpoint).error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(transport_->connect_tensors(endpoint).error().code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace sida::transport

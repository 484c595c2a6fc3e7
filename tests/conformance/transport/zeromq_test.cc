// What only links over sockets can do wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <zmq.hpp>

#include "tests/conformance/transport/link_kinds.h"

namespace sida::transport {
namespace {

using testing::HasSubstr;

class ZeroMqTransport : public testing::Test {
 protected:
  std::string path() const { return (directory_.path() / "w.sock").string(); }
  std::string endpoint() const { return "ipc://" + path(); }

  // What a peer that follows no rules sends.
  void send_raw(const std::string& to, const std::vector<std::string>& parts) {
    raw_.set(zmq::sockopt::linger, 1000);
    raw_.connect(to);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      raw_.send(zmq::buffer(parts[i]), i + 1 < parts.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }
  }

  test::TemporaryDirectory directory_;
  zmq::context_t context_{1};
  zmq::socket_t raw_{context_, zmq::socket_type::dealer};
  std::unique_ptr<Transport> transport_ = make_zeromq_transport({.message_bytes_max = 1U << 20U});
};

TEST_F(ZeroMqTransport, RefusesAddressesOffLoopback) {
  for (const char* address : {"tcp://*:5555", "tcp://0.0.0.0:5555", "tcp://192.168.1.1:5555", "tcp://[::]:5555"}) {
    const auto served = transport_->serve_control(address);
    ASSERT_FALSE(served.has_value()) << address;
    EXPECT_EQ(served.error().code, ErrorCode::kInvalidArgument) << address;
    EXPECT_THAT(served.error().message, AllOf(HasSubstr("--link-secret-key"), HasSubstr("sida keys")));
    EXPECT_FALSE(transport_->connect_control(address).has_value()) << address;
  }
}

TEST_F(ZeroMqTransport, RefusesHostsThatAreNoAddress) {
  for (const char* address : {"tcp://example.org:5555", "tcp://eth0:5555", "tcp://10.0.0.1:1;127.0.0.1:5555"}) {
    const auto served = transport_->serve_control(address);
    ASSERT_FALSE(served.has_value()) << address;
    EXPECT_EQ(served.error().code, ErrorCode::kInvalidArgument) << address;
    EXPECT_FALSE(transport_->connect_control(address).has_value()) << address;
  }
}

TEST_F(ZeroMqTransport, RefusesPortsThatAreNone) {
  for (const char* address : {"tcp://127.0.0.1", "tcp://127.0.0.1:", "tcp://127.0.0.1:0", "tcp://127.0.0.1:65536",
                              "tcp://127.0.0.1:-1", "tcp://127.0.0.1:5555x"}) {
    EXPECT_EQ(transport_->serve_control(address).error().code, ErrorCode::kInvalidArgument) << address;
  }
  EXPECT_EQ(transport_->connect_control("tcp://127.0.0.1:*").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ZeroMqTransport, ServesOnEveryLoopbackAddress) {
  for (const char* address : {"tcp://127.0.0.1:*", "tcp://127.0.0.2:*", "tcp://localhost:*"}) {
    const auto served = transport_->serve_control(address);
    ASSERT_TRUE(served.has_value()) << served.error().message;
    EXPECT_THAT((*served)->endpoint(), testing::MatchesRegex("tcp://127\\.0\\.0\\.[12]:[0-9]+"));
  }
}

TEST_F(ZeroMqTransport, ServesOnIpv6Loopback) {
  const auto served = transport_->serve_control("tcp://[::1]:*");
  if (!served) GTEST_SKIP() << "this machine has no IPv6 loopback: " << served.error().message;
  auto client = std::move(*transport_->connect_control((*served)->endpoint()));
  ASSERT_TRUE(client->send(frame_of("x")));
  EXPECT_TRUE(receive_from(**served).has_value());
}

TEST_F(ZeroMqTransport, SaysThatAPathIsTooLong) {
  const std::string long_path = directory_.path().string() + "/" + std::string(200, 'x');
  const auto served = transport_->serve_control("ipc://" + long_path);
  ASSERT_FALSE(served.has_value());
  EXPECT_EQ(served.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(served.error().message, HasSubstr("at most 107"));
  EXPECT_FALSE(transport_->connect_control("ipc://" + long_path).has_value());
}

TEST_F(ZeroMqTransport, ServesAPathOfExactly107Characters) {
  std::string longest = directory_.path().string() + "/";
  longest += std::string(107 - longest.size(), 'x');
  const auto served = transport_->serve_control("ipc://" + longest);
  ASSERT_TRUE(served.has_value()) << served.error().message;
  auto client = std::move(*transport_->connect_control("ipc://" + longest));
  ASSERT_TRUE(client->send(frame_of("x")));
  EXPECT_TRUE(receive_from(**served).has_value());
}

TEST_F(ZeroMqTransport, RefusesRelativePaths) {
  EXPECT_EQ(transport_->serve_control("ipc://w.sock").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ZeroMqTransport, KeepsSocketFilesFromOthers) {
  const mode_t before = umask(0);
  const auto served = transport_->serve_control(endpoint());
  umask(before);
  ASSERT_TRUE(served.has_value()) << served.error().message;
  struct stat status {};
  ASSERT_EQ(stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(ZeroMqTransport, LeavesNoFilesBehind) {
  std::ignore = transport_->serve_control(endpoint());
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

TEST_F(ZeroMqTransport, ReplacesWhatADeadProcessLeft) {
  const pid_t child = fork();
  if (child == 0) {  // Dies without cleaning up, as with SIGKILL.
    auto transport = make_zeromq_transport({});
    const auto server = transport->serve_control(endpoint());
    _exit(server.has_value() ? 0 : 1);
  }
  int status = 1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(std::filesystem::exists(path()));
  const auto served = transport_->serve_control(endpoint());
  EXPECT_TRUE(served.has_value()) << served.error().message;
}

TEST_F(ZeroMqTransport, DoesNotRobOtherProgramsOfTheirSocket) {
  const int other = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path().c_str());
  ASSERT_EQ(bind(other, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(other, 1), 0);
  EXPECT_EQ(transport_->serve_control(endpoint()).error().code, ErrorCode::kIo);
  close(other);
  EXPECT_TRUE(transport_->serve_control(endpoint()).has_value());
}

TEST_F(ZeroMqTransport, DoesNotRemoveAFileThatIsNoSocket) {
  std::ofstream(path()) << "precious";
  const auto served = transport_->serve_control(endpoint());
  ASSERT_FALSE(served.has_value());
  EXPECT_EQ(served.error().code, ErrorCode::kIo);
  EXPECT_EQ(std::filesystem::file_size(path()), 8U);
}

// The codec refuses an empty message, so the receiver counts it.
TEST_F(ZeroMqTransport, HandsOnMessagesWithTheWrongNumberOfPartsAsEmptyOnes) {
  auto control = std::move(*transport_->serve_control(endpoint()));
  send_raw(endpoint(), {"a", "b", "c", "d"});
  auto received = receive_from(*control);
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(received->message.size(), 0U);

  auto tensors = std::move(*transport_->serve_tensors(endpoint() + "2"));
  raw_ = zmq::socket_t(context_, zmq::socket_type::dealer);
  send_raw(endpoint() + "2", {"only one"});
  const auto rows = receive_from(*tensors);
  ASSERT_TRUE(rows.has_value());
  EXPECT_EQ(rows->message.envelope.size(), 0U);
  EXPECT_EQ(rows->message.rows.size(), 0U);
}

TEST_F(ZeroMqTransport, CutsOffAPeerThatSendsTooMuch) {
  auto server = std::move(*transport_->serve_control(endpoint()));
  send_raw(endpoint(), {std::string((1U << 20U) + 1, 'x')});
  auto client = std::move(*transport_->connect_control(endpoint()));
  ASSERT_TRUE(client->send(frame_of("small")));
  const auto received = receive_from(*server);
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(text_of(received->message), "small");
}

}  // namespace
}  // namespace sida::transport

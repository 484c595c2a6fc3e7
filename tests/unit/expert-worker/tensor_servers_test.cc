#include "expert-worker/agents/tensor_servers.h"

#include <gtest/gtest.h>

#include <set>

#include "common/runtime/waiter.h"
#include "common/transport/transport.h"

namespace sida::worker {
namespace {

transport::Frame frame_of(const std::string& text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return transport::Frame::take({begin, begin + text.size()});
}

std::string text_of(const transport::Frame& frame) {
  return {reinterpret_cast<const char*>(frame.data()), frame.size()};
}

class TensorServersTest : public testing::Test {
 protected:
  static std::vector<std::unique_ptr<transport::TensorServer>> serve(transport::Transport& transport) {
    std::vector<std::unique_ptr<transport::TensorServer>> servers;
    for (const char* endpoint : {"inproc://a", "inproc://b"}) servers.push_back(*transport.serve_tensors(endpoint));
    return servers;
  }

  std::unique_ptr<transport::Transport> transport_ = transport::make_in_process_transport({});
  TensorServers servers_{serve(*transport_)};
  std::unique_ptr<transport::TensorClient> a_ = *transport_->connect_tensors("inproc://a");
  std::unique_ptr<transport::TensorClient> b_ = *transport_->connect_tensors("inproc://b");
};

TEST_F(TensorServersTest, AnswersEachPeerThroughItsOwnServer) {
  ASSERT_TRUE(a_->send({frame_of("from a"), {}}));
  ASSERT_TRUE(b_->send({frame_of("from b"), {}}));
  std::set<transport::PeerId> peers;
  for (int i = 0; i < 2; ++i) {
    const auto received = servers_.receive();
    ASSERT_TRUE(received);
    peers.insert(received->peer);
    ASSERT_TRUE(servers_.send(received->peer, {frame_of("to one " + text_of(received->message.envelope)), {}}));
  }
  EXPECT_EQ(peers.size(), 2U);
  EXPECT_EQ(text_of(a_->receive()->envelope), "to one from a");
  EXPECT_EQ(text_of(b_->receive()->envelope), "to one from b");
  EXPECT_FALSE(servers_.receive());
}

TEST_F(TensorServersTest, GivesEachServerItsTurn) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(a_->send({frame_of("a"), {}}));
  ASSERT_TRUE(b_->send({frame_of("b"), {}}));
  std::string order;
  while (const auto received = servers_.receive()) order += text_of(received->message.envelope);
  EXPECT_EQ(order, "abaa");
}

TEST_F(TensorServersTest, WakesForEveryServer) {
  const auto readable = [this] {
    std::vector<int> descriptors;
    servers_.add_wake_descriptors(descriptors);
    int count = 0;
    for (const int descriptor : descriptors) count += is_readable(descriptor) ? 1 : 0;
    return count;
  };
  EXPECT_EQ(readable(), 0);
  ASSERT_TRUE(b_->send({frame_of("b"), {}}));
  EXPECT_EQ(readable(), 1);
  ASSERT_TRUE(a_->send({frame_of("a"), {}}));
  EXPECT_EQ(readable(), 2);
}

}  // namespace
}  // namespace sida::worker

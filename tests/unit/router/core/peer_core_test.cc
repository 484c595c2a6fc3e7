#include "router/core/peer_core.h"

#include <gtest/gtest.h>

namespace sida::router {
namespace {

using proto::Heartbeat;
using proto::Hello;
using proto::Message;
using std::chrono::milliseconds;

class PeerCoreTest : public ::testing::Test {
 protected:
  // Steps time forward in ticks and returns what was sent.
  std::vector<Message> advance(milliseconds span) {
    std::vector<Message> sent;
    for (const TimePoint end = now + span; now < end; now += kHeartbeatInterval) {
      for (Message& message : peer.tick(now)) sent.push_back(std::move(message));
      if (alive) peer.received(Heartbeat{.progress = progress += progress_step, .busy = busy}, now);
    }
    return sent;
  }
  static std::size_t hellos(const std::vector<Message>& messages) {
    std::size_t count = 0;
    for (const Message& message : messages) count += std::holds_alternative<Hello>(message) ? 1 : 0;
    return count;
  }
  proto::Welcome welcome_of(std::uint64_t worker) {
    return {.worker = WorkerId{worker}, .name = "worker-0", .capacity = {.slots = 1}, .data_endpoint = "inproc://data"};
  }

  PeerCore peer{PeerRole::kWorker, "worker-0", Hello{.router = RouterId{1}}};
  TimePoint now{};
  bool alive = false;
  bool busy = false;
  std::uint64_t progress = 0;
  std::uint64_t progress_step = 1;
};

TEST_F(PeerCoreTest, GreetsUntilItIsWelcomed) {
  EXPECT_GE(hellos(advance(milliseconds(1000))), 3U);
  EXPECT_TRUE(peer.received(welcome_of(7), now));
  EXPECT_TRUE(peer.ready());
  alive = true;
  EXPECT_EQ(hellos(advance(milliseconds(2000))), 0U);
}

TEST_F(PeerCoreTest, IsLostWhenSilentAndGreetedAgain) {
  peer.received(welcome_of(7), now);
  const auto sent = advance(milliseconds(1500));
  EXPECT_EQ(peer.state(), PeerState::kLost);
  EXPECT_TRUE(peer.take_changed());
  EXPECT_FALSE(peer.take_changed());
  EXPECT_GE(hellos(sent), 1U);
}

TEST_F(PeerCoreTest, IsLostWhenBusyWithoutProgress) {
  peer.received(welcome_of(7), now);
  alive = true;
  busy = true;
  progress_step = 0;
  advance(kProgressTimeout + milliseconds(500));
  EXPECT_EQ(peer.state(), PeerState::kLost);
  EXPECT_EQ(peer.detail(), "busy without progress");
}

TEST_F(PeerCoreTest, StaysWhenBusyWithProgressOrIdleWithout) {
  peer.received(welcome_of(7), now);
  alive = true;
  busy = true;
  advance(milliseconds(5000));
  EXPECT_TRUE(peer.ready());
  busy = false;
  progress_step = 0;
  advance(milliseconds(5000));
  EXPECT_TRUE(peer.ready());
}

TEST_F(PeerCoreTest, ARestartIsAChangeOfIncarnation) {
  peer.received(welcome_of(7), now);
  EXPECT_FALSE(peer.received(welcome_of(7), now));
  EXPECT_TRUE(peer.received(welcome_of(8), now));
  EXPECT_EQ(peer.welcome()->worker, WorkerId{8});
}

TEST_F(PeerCoreTest, RefusesAWelcomeOfAnotherModelOrOfNoWorker) {
  auto other_model = welcome_of(7);
  other_model.model[0] = 1;
  EXPECT_TRUE(peer.received(other_model, now));
  EXPECT_EQ(peer.state(), PeerState::kRefused);
  auto predictor = welcome_of(7);
  predictor.data_endpoint.clear();
  peer.received(predictor, now);
  EXPECT_EQ(peer.state(), PeerState::kRefused);
  EXPECT_EQ(peer.detail(), "it is not an expert-worker; check the endpoint");
}

TEST_F(PeerCoreTest, GreetsARefusedPeerNowAndThenAndTakesItWhenItFits) {
  peer.received(proto::Refuse{ErrorCode::kMismatch, "another model"}, now);
  EXPECT_EQ(hellos(advance(kRefusedHelloInterval + milliseconds(500))), 1U);
  EXPECT_TRUE(peer.received(welcome_of(8), now));
  EXPECT_TRUE(peer.ready());
}

TEST_F(PeerCoreTest, ARefusalEndsTheLinkAndKeepsItsReason) {
  EXPECT_TRUE(peer.received(proto::Refuse{ErrorCode::kMismatch, "another model"}, now));
  EXPECT_TRUE(advance(milliseconds(1000)).empty());
  EXPECT_EQ(peer.state(), PeerState::kRefused);
  EXPECT_EQ(peer.detail(), "another model");
}

TEST_F(PeerCoreTest, ADrainingWorkerGetsNoNewWork) {
  peer.received(welcome_of(7), now);
  EXPECT_TRUE(peer.received(proto::Draining{}, now));
  EXPECT_FALSE(peer.ready());
}

TEST_F(PeerCoreTest, ADrainingWorkerThatResumesIsReadyAgain) {
  peer.received(welcome_of(7), now);
  EXPECT_FALSE(peer.received(proto::Resume{}, now)) << "it was not draining";
  peer.received(proto::Draining{}, now);
  EXPECT_TRUE(peer.received(proto::Resume{}, now));
  EXPECT_TRUE(peer.ready());
  EXPECT_EQ(peer.detail(), "");
}

TEST_F(PeerCoreTest, ALostWorkerIsNotReadyBecauseItResumes) {
  peer.received(welcome_of(7), now);
  peer.received(proto::Draining{}, now);
  alive = false;
  advance(kHeartbeatTimeout + milliseconds(500));
  EXPECT_FALSE(peer.received(proto::Resume{}, now));
  EXPECT_EQ(peer.state(), PeerState::kLost);
}

}  // namespace
}  // namespace sida::router

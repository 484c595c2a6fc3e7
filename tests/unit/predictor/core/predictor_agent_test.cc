#include "predictor/core/predictor_agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "common/proto/codec.h"
#include "common/runtime/waiter.h"
#include "common/runtime/wake_event.h"
#include "common/transport/transport.h"
#include "tests/unit/predictor/hash/table_files.h"

namespace sida::predictor {
namespace {

using testing::ElementsAre;

// A predictor on its own thread, and routers that talk to it within the process.
class PredictorAgentTest : public testing::Test {
 protected:
  void SetUp() override {
    write_predictor(directory_, small_tables());
    auto function = open_hash_function(directory_.path(), small_model());
    ASSERT_TRUE(function.has_value()) << function.error().message;
    auto link = transport_->serve_control("inproc://predictor");
    ASSERT_TRUE(link.has_value());
    agent_ = std::make_unique<PredictorAgent>(
        PredictorIdentity{.incarnation = WorkerId{1}, .name = "p", .model = small_model().fingerprint},
        std::move(*function), std::move(*link), PredictorLimits{});
    thread_ = std::thread([this] { agent_->run(stop_.descriptor()); });
  }
  void TearDown() override { stop(); }
  void stop() {
    stop_.signal();
    if (thread_.joinable()) thread_.join();
  }

  std::unique_ptr<transport::ControlClient> connect() {
    return std::move(*transport_->connect_control("inproc://predictor"));
  }
  static void send(transport::ControlClient& router, proto::Message message) {
    ASSERT_TRUE(router.send(transport::Frame::take(proto::encode({{}, std::move(message)}))).has_value());
  }
  // The next message of the kind; others are skipped.
  template <typename Body>
  static Body receive(transport::ControlClient& router) {
    const TimePoint until = steady_now() + std::chrono::seconds(20);
    while (steady_now() < until) {
      while (const auto frame = router.receive()) {
        const auto envelope = proto::decode(frame->bytes());
        EXPECT_TRUE(envelope.has_value()) << envelope.error().message;
        if (const auto* body = std::get_if<Body>(&envelope->message)) return *body;
      }
      const int descriptor = router.wake_descriptor();
      wait_readable({&descriptor, 1}, until);
    }
    ADD_FAILURE() << "no such message came";
    return {};
  }
  static proto::Hello hello() {
    proto::Hello message;
    message.router = RouterId{5};
    message.model = small_model().fingerprint;
    return message;
  }

  test::TemporaryDirectory directory_;
  std::unique_ptr<transport::Transport> transport_ = transport::make_in_process_transport({});
  std::unique_ptr<PredictorAgent> agent_;
  WakeEvent stop_;
  std::thread thread_;
};

TEST_F(PredictorAgentTest, PredictsTheSourceAndTheDecodersTokens) {
  const auto router = connect();
  send(*router, hello());
  EXPECT_EQ(receive<proto::Welcome>(*router).name, "p");
  send(*router, proto::Predict{SequenceId{3}, {0, 1}, 1});
  const auto source = receive<proto::HashTableEntries>(*router);
  EXPECT_EQ(source.sequence, SequenceId{3});
  EXPECT_EQ(source.first_layer, LayerId{0});
  EXPECT_THAT(source.experts, ElementsAre(0, 1, 1, 2));
  send(*router, proto::Advance{SequenceId{3}, 0, 2, 1});
  const auto step = receive<proto::HashTableEntries>(*router);
  EXPECT_EQ(step.first_layer, LayerId{2});
  EXPECT_THAT(step.experts, ElementsAre(1));
}

TEST_F(PredictorAgentTest, ServesSeveralRoutersAtOnce) {
  std::vector<std::unique_ptr<transport::ControlClient>> routers;
  for (int i = 0; i < 5; ++i) {
    routers.push_back(connect());
    send(*routers.back(), hello());
  }
  for (const auto& router : routers) {
    receive<proto::Welcome>(*router);
    send(*router, proto::Predict{SequenceId{1}, {3}, 1});
  }
  for (const auto& router : routers) EXPECT_THAT(receive<proto::HashTableEntries>(*router).experts, ElementsAre(0, 1));
}

TEST_F(PredictorAgentTest, KeepsSendingHeartbeats) {
  const auto router = connect();
  send(*router, hello());
  const auto first = receive<proto::Heartbeat>(*router);
  EXPECT_GT(receive<proto::Heartbeat>(*router).progress, first.progress);
}

TEST_F(PredictorAgentTest, ReportsWhatItSpends) {
  const auto router = connect();
  send(*router, hello());
  send(*router, proto::Predict{SequenceId{3}, {0, 1}, 1});
  auto report = receive<proto::PredictorReport>(*router);
  while (report.sources == 0 && !HasFailure()) report = receive<proto::PredictorReport>(*router);
  EXPECT_EQ(report.sequences, 1U);
  EXPECT_GT(report.cpu_micros, 0U);
  EXPECT_GT(report.uptime_micros, 0U);
}

TEST_F(PredictorAgentTest, SurvivesBytesThatAreNoMessage) {
  const auto router = connect();
  ASSERT_TRUE(router->send(transport::Frame::take(std::vector<std::byte>(100, std::byte{0xdd}))).has_value());
  ASSERT_TRUE(router->send(transport::Frame()).has_value());
  send(*router, hello());
  EXPECT_EQ(receive<proto::Welcome>(*router).name, "p");
}

TEST_F(PredictorAgentTest, SaysThatItLeavesWhenItIsStopped) {
  const auto router = connect();
  send(*router, hello());
  receive<proto::Welcome>(*router);
  stop();
  receive<proto::Draining>(*router);
}

TEST_F(PredictorAgentTest, OutlivesRoutersThatGoAway) {
  for (int i = 0; i < 20; ++i) {
    const auto router = connect();
    send(*router, hello());
    receive<proto::Welcome>(*router);
    send(*router, proto::Predict{SequenceId{1}, {3}, 1});
  }
  const auto router = connect();
  send(*router, hello());
  EXPECT_EQ(receive<proto::Welcome>(*router).name, "p");
}

}  // namespace
}  // namespace sida::predictor

#include "router/core/links.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "common/proto/codec.h"

namespace sida::router {
namespace {

using std::chrono::milliseconds;

constexpr std::int32_t kLayers = 2;

// One worker's control server, played by the test, and the router's link to it.
class WorkerLinksTest : public testing::Test {
 protected:
  WorkerLinksTest()
      : transport_(transport::make_in_process_transport({})),
        server_(*transport_->serve_control("inproc://worker")),
        links_(*connect_peers(*transport_, PeerRole::kWorker, {{"worker-0", "inproc://worker"}}, {}), 16) {
    links_.poll(now_);  // Sends the greeting.
    peer_ = server_->receive()->peer;
  }

  void worker_says(const proto::Message& message) {
    ASSERT_TRUE(
        server_->send(peer_, transport::Frame::take(proto::encode({.header = {}, .message = message}))).has_value());
    now_ += milliseconds(1);
    links_.poll(now_);
  }

  static proto::Welcome welcome() {
    proto::Welcome result;
    result.worker = WorkerId{7};
    result.name = "worker-0";
    result.capacity.slots = 4;
    result.data_endpoint = "inproc://worker-data";
    return result;
  }

  TimePoint now_ = TimePoint{} + std::chrono::hours(1);
  std::unique_ptr<transport::Transport> transport_;
  std::unique_ptr<transport::ControlServer> server_;
  WorkerLinks links_;
  transport::PeerId peer_;
};

TEST(ReachableDataEndpoint, IsWhereTheRouterWasToldToConnect) {
  EXPECT_EQ(reachable_data_endpoint("tcp://10.0.0.2:5600", "tcp://0.0.0.0:41234"), "tcp://10.0.0.2:41234");
  EXPECT_EQ(reachable_data_endpoint("tcp://[fd00::2]:5600", "tcp://[::]:41234"), "tcp://[fd00::2]:41234");
  EXPECT_EQ(reachable_data_endpoint("tcp://10.0.0.2:5600", "tcp://192.0.2.1:22"), "tcp://10.0.0.2:22");
  EXPECT_EQ(reachable_data_endpoint("ipc:///w.sock", "ipc:///w.sock-data"), "ipc:///w.sock-data");
  EXPECT_EQ(reachable_data_endpoint("tcp://10.0.0.2:5600", "ipc:///run/other.sock"), "")
      << "a remote peer chooses no socket of this host";
}

TEST_F(WorkerLinksTest, OffersAWorkerOnceItIsWelcomed) {
  EXPECT_THAT(links_.live(), testing::IsEmpty());
  EXPECT_FALSE(links_.covers(kLayers));
  worker_says(welcome());
  ASSERT_EQ(links_.live().size(), 1U);
  EXPECT_FALSE(links_.live()[0].member.draining);
  EXPECT_TRUE(links_.covers(kLayers));
}

TEST_F(WorkerLinksTest, TellsWhatCarriesAWorkersRows) {
  proto::Welcome greeting = welcome();
  greeting.shared_memory_endpoint = "shm:///worker-rows";
  worker_says(greeting);
  EXPECT_EQ(links_.live()[0].shared_memory_endpoint, "shm:///worker-rows");
  EXPECT_EQ(links_.status()[0].channel, "");
  links_.set_channels({{WorkerId{7}, proto::ChannelKind::kSharedMemory}});
  EXPECT_EQ(links_.status()[0].channel, "shared-memory");
}

TEST_F(WorkerLinksTest, AsksAWorkerToDrainByItsName) {
  worker_says(welcome());
  while (server_->receive()) {
  }
  links_.drain("worker-1");
  EXPECT_FALSE(server_->receive());
  links_.drain("worker-0");
  const auto asked = server_->receive();
  ASSERT_TRUE(asked);
  EXPECT_TRUE(std::holds_alternative<proto::Draining>(proto::decode(asked->message.bytes())->message));
}

TEST_F(WorkerLinksTest, KeepsADrainingWorkerForWhatItStillComputes) {
  worker_says(welcome());
  worker_says(proto::Draining{});
  ASSERT_EQ(links_.live().size(), 1U);
  EXPECT_TRUE(links_.live()[0].member.draining);
  EXPECT_FALSE(links_.covers(kLayers));
}

TEST_F(WorkerLinksTest, TakesADrainedWorkerBack) {
  worker_says(welcome());
  worker_says(proto::Draining{});
  while (server_->receive()) {
  }
  links_.undrain("worker-0");
  const auto asked = server_->receive();
  ASSERT_TRUE(asked);
  EXPECT_TRUE(std::holds_alternative<proto::Resume>(proto::decode(asked->message.bytes())->message));
  links_.take_changed();
  worker_says(proto::Resume{});
  EXPECT_TRUE(links_.take_changed());
  ASSERT_EQ(links_.live().size(), 1U);
  EXPECT_FALSE(links_.live()[0].member.draining);
  EXPECT_TRUE(links_.covers(kLayers));
}

TEST_F(WorkerLinksTest, DropsAWorkerThatIsSilent) {
  worker_says(welcome());
  now_ += kHeartbeatTimeout + kHeartbeatInterval;
  links_.poll(now_);
  EXPECT_THAT(links_.live(), testing::IsEmpty());
  EXPECT_TRUE(links_.take_changed());
}

// As above, with two predictors.
class PredictorLinksTest : public testing::Test {
 protected:
  PredictorLinksTest()
      : transport_(transport::make_in_process_transport({})),
        links_(*connect_peers(*transport_, PeerRole::kPredictor,
                              {{"predictor-0", "inproc://p0"}, {"predictor-1", "inproc://p1"}}, {}),
               /*encoder_layers=*/2) {}

  void SetUp() override {
    poll();
    for (std::size_t index = 0; index < servers_.size(); ++index) {
      peers_.push_back(servers_[index]->receive()->peer);
      greet(index, {});
    }
  }

  void greet(std::size_t index, std::vector<LayerId> covered) {
    proto::Welcome welcome;
    welcome.worker = WorkerId{index + 1};
    welcome.name = "predictor-" + std::to_string(index);
    welcome.kernel = "learned";
    welcome.covered_layers = std::move(covered);
    says(index, welcome);
  }

  void poll() {
    std::vector<proto::HashTableEntries> entries;
    links_.poll(now_, entries);
  }
  void says(std::size_t predictor, const proto::Message& message) {
    ASSERT_TRUE(servers_[predictor]
                    ->send(peers_[predictor], transport::Frame::take(proto::encode({.header = {}, .message = message})))
                    .has_value());
    now_ += milliseconds(1);
    poll();
  }
  // How many sources a predictor was sent since the last time.
  std::size_t asked(std::size_t predictor) {
    std::size_t count = 0;
    while (const auto received = servers_[predictor]->receive()) {
      count += std::holds_alternative<proto::Predict>(proto::decode(received->message.bytes())->message) ? 1 : 0;
    }
    return count;
  }
  std::size_t predict_ten() {
    std::size_t sent = 0;
    for (std::uint64_t sequence = 1; sequence <= 10; ++sequence)
      sent += links_.predict(SequenceId{sequence}, {1}) ? 1 : 0;
    return sent;
  }

  TimePoint now_ = TimePoint{} + std::chrono::hours(1);
  std::unique_ptr<transport::Transport> transport_;
  std::array<std::unique_ptr<transport::ControlServer>, 2> servers_{*transport_->serve_control("inproc://p0"),
                                                                    *transport_->serve_control("inproc://p1")};
  PredictorLinks links_;
  std::vector<transport::PeerId> peers_;
};

TEST_F(PredictorLinksTest, ShareTheSourcesEqually) {
  EXPECT_EQ(predict_ten(), 10U);
  EXPECT_EQ(asked(0), 5U);
  EXPECT_EQ(asked(1), 5U);
}

TEST_F(PredictorLinksTest, TheOthersTakeOverWhenOneIsSilent) {
  now_ += kHeartbeatTimeout;
  says(1, proto::Heartbeat{});
  now_ += kHeartbeatInterval;
  poll();
  EXPECT_EQ(predict_ten(), 10U);
  EXPECT_EQ(asked(0), 0U);
  EXPECT_EQ(asked(1), 10U);
}

TEST_F(PredictorLinksTest, ASequenceWhosePredictorIsGoneIsNotAskedAbout) {
  ASSERT_TRUE(links_.predict(SequenceId{1}, {1}));
  now_ += kHeartbeatTimeout + kHeartbeatInterval;
  poll();
  EXPECT_FALSE(links_.advance(SequenceId{1}, 0, 7));
  EXPECT_EQ(predict_ten(), 0U);
}

TEST_F(PredictorLinksTest, OneOfTheEncoderAloneIsNotAskedAboutTheDecoder) {
  ASSERT_TRUE(links_.predict(SequenceId{1}, {1}));
  ASSERT_TRUE(links_.predict(SequenceId{2}, {1}));
  EXPECT_TRUE(links_.advance(SequenceId{1}, 0, 7));
  EXPECT_TRUE(links_.advance(SequenceId{2}, 0, 7));
  now_ += kHeartbeatTimeout + kHeartbeatInterval;
  poll();
  for (std::size_t index = 0; index < servers_.size(); ++index) {
    while (const auto received = servers_[index]->receive()) peers_[index] = received->peer;
  }
  greet(0, {LayerId{0}, LayerId{1}});
  greet(1, {LayerId{1}, LayerId{2}});
  ASSERT_TRUE(links_.predict(SequenceId{3}, {1}));
  ASSERT_TRUE(links_.predict(SequenceId{4}, {1}));
  EXPECT_NE(links_.advance(SequenceId{3}, 0, 7), links_.advance(SequenceId{4}, 0, 7))
      << "which of the two is asked first is not said";
}

TEST_F(PredictorLinksTest, ListReportsApart) {
  EXPECT_THAT(links_.status(), testing::IsEmpty());
  says(0, proto::PredictorReport{.sources = 3});
  says(1, proto::PredictorReport{.sources = 4});
  says(1, proto::PredictorReport{.sources = 5});
  const auto status = links_.status();
  ASSERT_EQ(status.size(), 2U);
  EXPECT_EQ(status[0].name, "predictor-0");
  EXPECT_EQ(status[0].kind, "learned");
  EXPECT_EQ(status[0].report.sources, 3U);
  EXPECT_EQ(status[1].report.sources, 5U);
  now_ += kHeartbeatTimeout + kHeartbeatInterval;
  poll();
  EXPECT_THAT(links_.status(), testing::IsEmpty()) << "what a lost one said is no figure of now";
}

TEST_F(WorkerLinksTest, ConnectsToAPeerThatANameCameToStandFor) {
  const PeerConnector connector{*transport_, PeerRole::kWorker, {}};
  const auto other = *transport_->serve_control("inproc://other");
  links_.change({.come = {{"pool@other", "inproc://other", "pool"}}, .gone = {}}, connector);
  links_.change({.come = {{"pool@other", "inproc://other", "pool"}}, .gone = {}}, connector);  // Once.
  ASSERT_EQ(links_.links().size(), 2U);
  now_ += milliseconds(1);
  links_.poll(now_);
  EXPECT_TRUE(other->receive().has_value());  // A greeting.
}

TEST_F(WorkerLinksTest, LeavesAPeerAloneThatLostItsNameUntilItDoesNotAnswer) {
  const PeerConnector connector{*transport_, PeerRole::kWorker, {}};
  worker_says(welcome());
  links_.change({.come = {}, .gone = {{"worker-0", "inproc://worker", ""}}}, connector);
  worker_says(proto::Heartbeat{1, false});
  EXPECT_EQ(links_.live().size(), 1U);
  for (int i = 0; i < 30; ++i) {
    now_ += milliseconds(100);
    links_.poll(now_);
  }
  EXPECT_THAT(links_.live(), testing::IsEmpty());
  EXPECT_THAT(links_.links(), testing::IsEmpty());
}

TEST_F(WorkerLinksTest, KeepsAPeerWhoseNameCameBack) {
  const PeerConnector connector{*transport_, PeerRole::kWorker, {}};
  worker_says(welcome());
  const NamedEndpoint peer{"worker-0", "inproc://worker", ""};
  links_.change({.come = {}, .gone = {peer}}, connector);
  links_.change({.come = {peer}, .gone = {}}, connector);
  for (int i = 0; i < 30; ++i) {
    now_ += milliseconds(100);
    links_.poll(now_);
  }
  EXPECT_EQ(links_.links().size(), 1U);  // Lost, and greeted for ever.
}

}  // namespace
}  // namespace sida::router

// How the trunk chooses what carries rows to a worker, and what it does when that fails.
#include "router/trunk/remote_experts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "common/proto/codec.h"

namespace sida::router {
namespace {

using proto::ChannelKind;
using testing::ElementsAre;
using testing::Pair;

// A channel that refuses all but its first message, as one whose memory was turned down.
class TurnedDown : public transport::TensorClient {
 public:
  explicit TurnedDown(std::unique_ptr<transport::TensorClient> idle) : idle_(std::move(idle)) {}
  Result<void> send(transport::TensorMessage /*message*/) override {
    if (std::exchange(greeted_, true)) return fail(ErrorCode::kUnavailable, "turned down");
    return {};
  }
  std::optional<transport::TensorMessage> receive() override { return std::nullopt; }
  [[nodiscard]] int wake_descriptor() const override { return idle_->wake_descriptor(); }
  [[nodiscard]] std::uint64_t interruptions() const override { return 0; }

 private:
  std::unique_ptr<transport::TensorClient> idle_;
  bool greeted_ = false;
};

// A channel whose connection breaks and is made anew when the test says so.
class Breakable : public transport::TensorClient {
 public:
  Breakable(std::unique_ptr<transport::TensorClient> channel, const std::uint64_t& interruptions)
      : channel_(std::move(channel)), interruptions_(interruptions) {}
  Result<void> send(transport::TensorMessage message) override { return channel_->send(std::move(message)); }
  std::optional<transport::TensorMessage> receive() override { return channel_->receive(); }
  [[nodiscard]] int wake_descriptor() const override { return channel_->wake_descriptor(); }
  [[nodiscard]] std::uint64_t interruptions() const override { return interruptions_; }

 private:
  std::unique_ptr<transport::TensorClient> channel_;
  const std::uint64_t& interruptions_;
};

// In-process links, with shared memory as the test likes it.
class ChoosyTransport : public transport::Transport {
 public:
  enum class SharedMemory { kWorks, kFails, kIsTurnedDown };
  explicit ChoosyTransport(SharedMemory shared_memory) : shared_memory_(shared_memory) {}
  std::uint64_t interruptions = 0;  // Of channels that do not go through shared memory.

  Result<std::unique_ptr<transport::ControlServer>> serve_control(const std::string& endpoint) override {
    return links_->serve_control(endpoint);
  }
  Result<std::unique_ptr<transport::ControlClient>> connect_control(const transport::ServerAddress& server) override {
    return links_->connect_control(server);
  }
  Result<std::unique_ptr<transport::TensorServer>> serve_tensors(const std::string& endpoint) override {
    return links_->serve_tensors(endpoint);
  }
  Result<std::unique_ptr<transport::TensorClient>> connect_tensors(const transport::ServerAddress& server) override {
    if (!server.endpoint.starts_with("shm://")) {
      return std::make_unique<Breakable>(*links_->connect_tensors(server), interruptions);
    }
    if (shared_memory_ == SharedMemory::kFails) return fail(ErrorCode::kIo, "no memory of this kind");
    auto client = links_->connect_tensors("inproc://shared-memory");
    if (shared_memory_ == SharedMemory::kIsTurnedDown) return std::make_unique<TurnedDown>(*std::move(client));
    return client;
  }

 private:
  const SharedMemory shared_memory_;
  std::unique_ptr<transport::Transport> links_ = transport::make_in_process_transport({});
};

class RemoteExpertsTest : public testing::Test {
 protected:
  void start(ChoosyTransport::SharedMemory shared_memory, std::vector<ChannelKind> offered) {
    transport_ = std::make_unique<ChoosyTransport>(shared_memory);
    plain_ = *transport_->serve_tensors("inproc://plain");
    shared_ = *transport_->serve_tensors("inproc://shared-memory");
    RemoteExperts::Options options;
    options.hello.channels = std::move(offered);
    options.d_model = 1;
    options.experts_total = 1;
    options.channels_changed = [this](WorkerChannels kinds) { told_.push_back(std::move(kinds)); };
    experts_ = std::make_unique<RemoteExperts>(*transport_, std::move(options));
  }
  void meet(const std::string& shared_memory_endpoint) {
    TrunkWorker worker;
    worker.member.worker = kWorker;
    worker.member.name = "worker-0";
    worker.member.capacity = {
        .memory_budget_bytes = 1, .expert_bytes = 1, .slots = 1, .experts_per_second = 1, .credit_bytes = 1000};
    worker.data_endpoint = "inproc://plain";
    worker.shared_memory_endpoint = shared_memory_endpoint;
    experts_->set_workers({worker});
  }
  // The names of what a server was sent.
  static std::vector<std::string> heard(transport::TensorServer& server) {
    std::vector<std::string> messages;
    while (auto received = server.receive()) {
      const auto envelope = proto::decode(received->message.envelope.bytes());
      messages.emplace_back(std::holds_alternative<proto::Hello>(envelope->message) ? "hello" : "dispatch");
    }
    return messages;
  }
  void send_a_row() {
    call_.layer = LayerId{0};
    call_.rows = {&row_, 1, 1, DType::kFloat32};
    call_.out = {&row_, 1, 1, DType::kFloat32};
    call_.experts = expert_;
    experts_->start(call_);
  }

  static constexpr WorkerId kWorker{5};
  std::unique_ptr<ChoosyTransport> transport_;
  std::unique_ptr<transport::TensorServer> plain_;
  std::unique_ptr<transport::TensorServer> shared_;
  std::vector<WorkerChannels> told_;
  std::unique_ptr<RemoteExperts> experts_;
  ExpertCall call_;
  float row_ = 0;
  std::array<std::int32_t, 1> expert_{0};
};

const std::vector<ChannelKind> kBoth{ChannelKind::kSharedMemory, ChannelKind::kZeroMq, ChannelKind::kInProcess};

TEST_F(RemoteExpertsTest, SendsThroughSharedMemoryWhereBothSidesOfferIt) {
  start(ChoosyTransport::SharedMemory::kWorks, kBoth);
  meet("shm:///worker");
  send_a_row();
  EXPECT_THAT(heard(*shared_), ElementsAre("hello", "dispatch"));
  EXPECT_THAT(heard(*plain_), ElementsAre());
  EXPECT_THAT(told_.back(), ElementsAre(Pair(kWorker, ChannelKind::kSharedMemory)));
}

TEST_F(RemoteExpertsTest, UsesNoSharedMemoryThatItsRouterDoesNotOffer) {
  start(ChoosyTransport::SharedMemory::kWorks, {ChannelKind::kZeroMq, ChannelKind::kInProcess});
  meet("shm:///worker");
  send_a_row();
  EXPECT_THAT(heard(*plain_), ElementsAre("hello", "dispatch"));
  EXPECT_THAT(told_.back(), ElementsAre(Pair(kWorker, ChannelKind::kInProcess)));
}

TEST_F(RemoteExpertsTest, UsesNoSharedMemoryThatItsWorkerDoesNotOffer) {
  start(ChoosyTransport::SharedMemory::kWorks, kBoth);
  meet("");
  send_a_row();
  EXPECT_THAT(heard(*plain_), ElementsAre("hello", "dispatch"));
}

TEST_F(RemoteExpertsTest, FallsBackWhereThereIsNoSharedMemory) {
  start(ChoosyTransport::SharedMemory::kFails, kBoth);
  meet("shm:///worker");
  send_a_row();
  EXPECT_THAT(heard(*plain_), ElementsAre("hello", "dispatch"));
  EXPECT_THAT(told_.back(), ElementsAre(Pair(kWorker, ChannelKind::kInProcess)));
}

TEST_F(RemoteExpertsTest, FallsBackWhenTheWorkerTurnsItsMemoryDown) {
  start(ChoosyTransport::SharedMemory::kIsTurnedDown, kBoth);
  meet("shm:///worker");
  EXPECT_THAT(told_.back(), ElementsAre(Pair(kWorker, ChannelKind::kSharedMemory)));
  send_a_row();
  EXPECT_THAT(heard(*plain_), ElementsAre("hello", "dispatch"));
  EXPECT_THAT(told_.back(), ElementsAre(Pair(kWorker, ChannelKind::kInProcess)));
  EXPECT_EQ(experts_->counters().resends_failed, 0U);  // The row went the other way at once.
}

TEST_F(RemoteExpertsTest, SendsAgainWhatABrokenConnectionLost) {
  start(ChoosyTransport::SharedMemory::kWorks, kBoth);
  meet("");
  send_a_row();
  EXPECT_THAT(heard(*plain_), ElementsAre("hello", "dispatch"));
  experts_->poll(steady_now());
  EXPECT_THAT(heard(*plain_), ElementsAre());
  transport_->interruptions = 1;
  experts_->poll(steady_now());
  EXPECT_THAT(heard(*plain_), ElementsAre("dispatch"));
  experts_->poll(steady_now());
  EXPECT_THAT(heard(*plain_), ElementsAre());  // Once.
  EXPECT_EQ(experts_->counters().resends_lost, 1U);
}

}  // namespace
}  // namespace sida::router

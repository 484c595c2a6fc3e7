#include "router/core/links.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST_F(WorkerLinksTest, OffersAWorkerOnceItIsWelcomed) {
  EXPECT_THAT(links_.live(), testing::IsEmpty());
  EXPECT_FALSE(links_.covers(kLayers));
  worker_says(welcome());
  ASSERT_EQ(links_.live().size(), 1U);
  EXPECT_FALSE(links_.live()[0].member.draining);
  EXPECT_TRUE(links_.covers(kLayers));
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

TEST_F(WorkerLinksTest, DropsAWorkerThatIsSilent) {
  worker_says(welcome());
  now_ += kHeartbeatTimeout + kHeartbeatInterval;
  links_.poll(now_);
  EXPECT_THAT(links_.live(), testing::IsEmpty());
  EXPECT_TRUE(links_.take_changed());
}

}  // namespace
}  // namespace sida::router

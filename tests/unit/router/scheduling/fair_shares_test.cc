#include "router/scheduling/fair_shares.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "router/scheduling/scheduler_core.h"

namespace sida::router {
namespace {

using ::testing::ElementsAre;

const TimePoint kStart{};

TEST(FairShares, OneClientIsServedInOrderOfArrival) {
  FairShares shares;
  EXPECT_EQ(shares.arrived(1, 10), 0);
  EXPECT_EQ(shares.arrived(1, 5), 10);
  EXPECT_EQ(shares.arrived(1, 5), 15);
}

TEST(FairShares, ANewcomerStandsBesideTheFirstOfAnother) {
  FairShares shares;
  shares.arrived(1, 10);
  shares.arrived(1, 10);
  EXPECT_EQ(shares.arrived(2, 10), 0);
  shares.served(1, 0);
  shares.served(1, 10);
  EXPECT_EQ(shares.arrived(3, 10), 10) << "not before what was served already";
}

TEST(FairShares, WhatLeavesUnservedCostsNothing) {
  FairShares shares;
  shares.arrived(1, 10);
  shares.arrived(1, 100);
  shares.left(1, 100);
  EXPECT_EQ(shares.arrived(1, 10), 10);
}

TEST(FairShares, NobodyPassesAnOlderRequestOfItsOwnClient) {
  FairShares shares;
  shares.arrived(1, 100);
  EXPECT_EQ(shares.arrived(1, 10), 100);
  shares.left(1, 100);
  EXPECT_EQ(shares.arrived(1, 10), 100);
}

TEST(FairShares, NothingIsKeptOfClientsThatDoNotWait) {
  FairShares shares;
  for (std::uint64_t client = 0; client < 1000; ++client) shares.served(client, shares.arrived(client, 5));
  for (std::uint64_t client = 0; client < 1000; ++client) {
    shares.arrived(client, 5);
    shares.left(client, 5);
  }
  EXPECT_EQ(shares.clients(), 0U);
}

// A scheduler in virtual time that encodes one sequence a step and decodes nothing: who is served is what shares are.
class SharedServer {
 public:
  explicit SharedServer(std::size_t waiting_max) : core_({.waiting_max = waiting_max, .rows_max = 1}) {}

  bool submit(std::uint64_t client, std::int64_t tokens) {
    const SequenceId id{++last_};
    if (!core_.submit({id, tokens, 0, TimePoint::max(), 0, 1, client}, kStart)) return false;
    client_of_[id] = client;
    return true;
  }
  // The client whose sequence the next step serves; 0: none.
  std::uint64_t serve() {
    while (const auto plan = core_.next_step(kStart)) {
      core_.step_done(plan->step, plan->decode, kStart);  // What decodes is done.
      if (!plan->encode.empty()) return client_of_.at(plan->encode.front());
    }
    return 0;
  }

 private:
  SchedulerCore core_;
  std::map<SequenceId, std::uint64_t> client_of_;
  std::uint64_t last_ = 0;
};

TEST(SchedulerCoreFairness, AFloodOfOneClientDoesNotHoldUpAnother) {
  SharedServer server(512);
  for (int request = 0; request < 200; ++request) ASSERT_TRUE(server.submit(1, 10));
  EXPECT_EQ(server.serve(), 1U);
  EXPECT_TRUE(server.submit(2, 10));
  std::vector<std::uint64_t> order;
  for (int step = 0; step < 3; ++step) order.push_back(server.serve());
  EXPECT_THAT(order, ::testing::Contains(2U)) << "served beside the first of the flood";
}

TEST(SchedulerCoreFairness, BacklogsAreServedInTurn) {
  SharedServer server(512);
  for (int request = 0; request < 4; ++request) ASSERT_TRUE(server.submit(1, 10));
  for (int request = 0; request < 4; ++request) ASSERT_TRUE(server.submit(2, 10));
  std::vector<std::uint64_t> order;
  for (int step = 0; step < 8; ++step) order.push_back(server.serve());
  EXPECT_THAT(order, ElementsAre(1, 2, 1, 2, 1, 2, 1, 2));
}

// Virtual time: a client with long requests, one with short ones and one that asks now and then.
TEST(SchedulerCoreFairness, SharesAreEqualInTokensNotInRequests) {
  SharedServer server(512);
  std::map<std::uint64_t, std::int64_t> tokens;
  std::size_t waiting_long = 0;
  std::size_t waiting_short = 0;
  for (int step = 0; step < 4000; ++step) {
    while (waiting_long < 20 && server.submit(1, 40)) ++waiting_long;
    while (waiting_short < 50 && server.submit(2, 10)) ++waiting_short;
    const std::uint64_t client = server.serve();
    ASSERT_NE(client, 0U);
    tokens[client] += client == 1 ? 40 : 10;
    --(client == 1 ? waiting_long : waiting_short);
  }
  const double ratio = static_cast<double>(tokens[1]) / static_cast<double>(tokens[2]);
  EXPECT_NEAR(ratio, 1, 0.02);
}

TEST(SchedulerCoreFairness, OneWhoAsksNowAndThenWaitsForOneOfEachOtherAtMost) {
  SharedServer server(512);
  for (std::uint64_t client = 1; client <= 5; ++client) {
    for (int request = 0; request < 30; ++request) ASSERT_TRUE(server.submit(client, 10));
  }
  for (int visit = 0; visit < 20; ++visit) {
    ASSERT_TRUE(server.submit(9, 10));
    int steps = 1;
    while (server.serve() != 9) ++steps;
    EXPECT_LE(steps, 7);
  }
}

TEST(SchedulerCoreFairness, AFullQueueKeepsAnEighthForOthers) {
  SharedServer server(64);
  int taken = 0;
  while (server.submit(1, 10)) ++taken;
  EXPECT_EQ(taken, 56);
  EXPECT_TRUE(server.submit(2, 10));
  EXPECT_FALSE(server.submit(2, 10)) << "only for who has none waiting";
  EXPECT_TRUE(server.submit(3, 10));
}

}  // namespace
}  // namespace sida::router

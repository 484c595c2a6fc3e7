#include "common/transport/zeromq/peer_table.h"

#include <gtest/gtest.h>

namespace sida::transport::zeromq {
namespace {

TEST(PeerTable, GivesEachRoutingIdOnePeerId) {
  PeerTable peers(10);
  const PeerId first = peers.heard_from("first");
  const PeerId second = peers.heard_from("second");
  EXPECT_NE(first, second);
  EXPECT_EQ(peers.heard_from("first"), first);
  EXPECT_EQ(*peers.routing_id(first), "first");
  EXPECT_EQ(*peers.routing_id(second), "second");
}

TEST(PeerTable, NeverUsesAnIdAgain) {
  PeerTable peers(10);
  const PeerId before = peers.heard_from("same");
  peers.forget(before);
  EXPECT_EQ(peers.routing_id(before), nullptr);
  EXPECT_NE(peers.heard_from("same"), before);
}

TEST(PeerTable, ForgetsThePeerThatWasSilentForLongest) {
  PeerTable peers(2);
  const PeerId first = peers.heard_from("first");
  const PeerId second = peers.heard_from("second");
  peers.heard_from("first");
  peers.heard_from("third");
  EXPECT_NE(peers.routing_id(first), nullptr);
  EXPECT_EQ(peers.routing_id(second), nullptr);
}

TEST(PeerTable, KnowsNobodyAtFirst) {
  PeerTable peers(2);
  EXPECT_EQ(peers.routing_id(PeerId{1}), nullptr);
  peers.forget(PeerId{1});
}

}  // namespace
}  // namespace sida::transport::zeromq

#include "router/core/peer_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sida::router {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> names(const std::vector<NamedEndpoint>& peers) {
  std::vector<std::string> found;
  for (const NamedEndpoint& peer : peers) found.push_back(peer.name + "=" + peer.endpoint + " key " + peer.key());
  return found;
}

TEST(HostNameOf, TellsNamesFromAddresses) {
  EXPECT_EQ(host_name_of("tcp://workers.sida.svc:5600"), "workers.sida.svc");
  EXPECT_EQ(host_name_of("tcp://box-2:5600"), "box-2");
  for (const char* address : {"tcp://10.0.0.2:5600", "tcp://[fd00::2]:5600", "tcp://localhost:5600", "ipc:///a/b.sock",
                              "tcp://:5600", "tcp://a;b:1", "tcp://box-2", "inproc://worker"}) {
    EXPECT_EQ(host_name_of(address), "") << address;
  }
}

class PeerDirectoryTest : public testing::Test {
 protected:
  PeerDirectory directory_{{{"worker-0", "tcp://10.0.0.9:5600", ""},
                            {"pool", "tcp://workers:5600", ""},
                            {"spare", "tcp://workers:5601", ""},
                            {"local", "ipc:///w.sock", ""}}};
};

TEST_F(PeerDirectoryTest, AsksForEachNameOnce) {
  EXPECT_THAT(directory_.host_names(), ElementsAre("workers"));
  EXPECT_THAT(names(directory_.addressed()),
              ElementsAre("worker-0=tcp://10.0.0.9:5600 key worker-0", "local=ipc:///w.sock key local"));
}

TEST_F(PeerDirectoryTest, HasAPeerForEachAddress) {
  const PeerChange change = directory_.resolved({"workers", {"10.0.0.3", "[fd00::2]", "10.0.0.3"}});
  EXPECT_THAT(names(change.come), ElementsAre("pool@10.0.0.3:5600=tcp://10.0.0.3:5600 key pool",
                                              "pool@[fd00::2]:5600=tcp://[fd00::2]:5600 key pool",
                                              "spare@10.0.0.3:5601=tcp://10.0.0.3:5601 key spare",
                                              "spare@[fd00::2]:5601=tcp://[fd00::2]:5601 key spare"));
  EXPECT_THAT(change.gone, IsEmpty());
}

TEST_F(PeerDirectoryTest, TellsAgainWhatCouldNotBeConnected) {
  const PeerChange first = directory_.resolved({"workers", {"10.0.0.3", "10.0.0.33"}});
  directory_.not_connected("workers", {first.come.front()});
  EXPECT_THAT(names(directory_.resolved({"workers", {"10.0.0.3", "10.0.0.33"}}).come),
              ElementsAre("pool@10.0.0.3:5600=tcp://10.0.0.3:5600 key pool",
                          "spare@10.0.0.3:5601=tcp://10.0.0.3:5601 key spare"));
}

TEST_F(PeerDirectoryTest, TellsOnlyWhatChanged) {
  directory_.resolved({"workers", {"10.0.0.3", "10.0.0.4"}});
  EXPECT_THAT(directory_.resolved({"workers", {"10.0.0.4", "10.0.0.3"}}).come, IsEmpty());
  const PeerChange change = directory_.resolved({"workers", {"10.0.0.4", "10.0.0.5"}});
  EXPECT_THAT(names(change.come), ElementsAre("pool@10.0.0.5:5600=tcp://10.0.0.5:5600 key pool",
                                              "spare@10.0.0.5:5601=tcp://10.0.0.5:5601 key spare"));
  EXPECT_THAT(names(change.gone), ElementsAre("pool@10.0.0.3:5600=tcp://10.0.0.3:5600 key pool",
                                              "spare@10.0.0.3:5601=tcp://10.0.0.3:5601 key spare"));
  EXPECT_EQ(directory_.resolved({"workers", {}}).gone.size(), 4U);
}

TEST_F(PeerDirectoryTest, IgnoresNamesThatItDidNotAskFor) {
  EXPECT_THAT(directory_.resolved({"elsewhere", {"10.0.0.3"}}).come, IsEmpty());
}

TEST_F(PeerDirectoryTest, BoundsTheAddressesOfAName) {
  std::vector<std::string> addresses;
  for (int i = 0; i < 5000; ++i) addresses.push_back("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250));
  EXPECT_EQ(directory_.resolved({"workers", addresses}).come.size(), 2 * kAddressesMax);
}

}  // namespace
}  // namespace sida::router

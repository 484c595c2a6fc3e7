// Which PeerId stands for which ZeroMQ routing id. Ids count up and are never used again.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>

#include "common/transport/control_link.h"

namespace sida::transport::zeromq {

// Bounded: beyond `peers_max` the peer that was silent for longest is forgotten, and is a new peer when it speaks
// again.
class PeerTable {
 public:
  explicit PeerTable(std::size_t peers_max) : peers_max_(peers_max) {}

  // The peer that just spoke.
  PeerId heard_from(const std::string& routing_id);
  // nullptr when forgotten or never known.
  [[nodiscard]] const std::string* routing_id(PeerId peer) const;
  void forget(PeerId peer);

 private:
  struct Peer {
    PeerId id;
    std::string routing_id;
  };
  using Peers = std::list<Peer>;  // The one that spoke last comes first.

  std::size_t peers_max_;
  std::uint64_t last_id_ = 0;
  Peers peers_;
  std::unordered_map<std::string, Peers::iterator> by_routing_id_;
  std::unordered_map<std::uint64_t, Peers::iterator> by_id_;
};

}  // namespace sida::transport::zeromq

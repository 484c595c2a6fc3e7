#include "common/transport/zeromq/peer_table.h"

namespace sida::transport::zeromq {

PeerId PeerTable::heard_from(const std::string& routing_id) {
  if (const auto known = by_routing_id_.find(routing_id); known != by_routing_id_.end()) {
    peers_.splice(peers_.begin(), peers_, known->second);
    return known->second->id;
  }
  if (peers_.size() >= peers_max_) forget(peers_.back().id);
  peers_.push_front({PeerId{++last_id_}, routing_id});
  by_routing_id_[routing_id] = peers_.begin();
  by_id_[last_id_] = peers_.begin();
  return PeerId{last_id_};
}

const std::string* PeerTable::routing_id(PeerId peer) const {
  const auto known = by_id_.find(peer.value);
  return known == by_id_.end() ? nullptr : &known->second->routing_id;
}

void PeerTable::forget(PeerId peer) {
  const auto known = by_id_.find(peer.value);
  if (known == by_id_.end()) return;
  const Peers::iterator position = known->second;
  by_id_.erase(known);
  by_routing_id_.erase(position->routing_id);
  peers_.erase(position);
}

}  // namespace sida::transport::zeromq

#include "tests/sim/sim_network.h"

#include <algorithm>
#include <utility>

namespace sida::sim {

using std::chrono::microseconds;

void Network::listen(const std::string& endpoint, Server* server) {
  servers_[endpoint] = server;
  if (server == nullptr) return;
  for (auto& [id, link] : links_) {
    if (link.endpoint != endpoint) continue;
    for (Packet& packet : std::exchange(link.held, {})) to_server(id, std::move(packet));
  }
}

PeerId Network::connect(const std::string& endpoint, LinkKind kind, Receiver receiver) {
  const PeerId id{++last_link_};
  Link link;
  link.endpoint = endpoint;
  link.kind = kind;
  link.receiver = std::move(receiver);
  links_.emplace(id, std::move(link));
  return id;
}

void Network::close(PeerId link) {
  links_.erase(link);
}

void Network::to_server(PeerId id, Packet packet) {
  if (loses()) return;
  Link& link = links_.at(id);
  loop_.at(arrival(link, link.last_to_server),
           [this, id, packet = std::move(packet)]() mutable { deliver(id, std::move(packet)); });
}

void Network::deliver(PeerId id, Packet packet) {
  auto link = links_.find(id);
  if (link == links_.end()) return;
  auto server = servers_.find(link->second.endpoint);
  if (server != servers_.end() && server->second != nullptr) {
    server->second->receive(id, link->second.kind, std::move(packet));
  } else if (random_.chance(50)) {
    link->second.held.push_back(std::move(packet));
  }  // Else it was on the wire when the process died.
}

void Network::to_client(PeerId id, Packet packet) {
  auto found = links_.find(id);
  if (found == links_.end() || loses()) return;
  loop_.at(arrival(found->second, found->second.last_to_client), [this, id, packet = std::move(packet)]() mutable {
    auto link = links_.find(id);
    if (link != links_.end()) link->second.receiver(std::move(packet));
  });
}

bool Network::loses() {
  const bool lost = loss_per_mille_ > 0 && random_.pick(1, 1000) <= loss_per_mille_;
  lost_ += lost ? 1 : 0;
  return lost;
}

TimePoint Network::arrival(const Link& link, TimePoint& last) {
  const bool slow = random_.chance(1);
  const auto delay = random_.between(microseconds(20), slow ? microseconds(50'000) : microseconds(300));
  const auto blocked = blocked_until_.find({link.endpoint, link.kind});
  TimePoint time = std::max(last, loop_.now() + delay);
  if (blocked != blocked_until_.end()) time = std::max(time, blocked->second);
  last = time;
  return time;
}

}  // namespace sida::sim

#include "expert-worker/core/router_peers.h"

#include <algorithm>
#include <string>

namespace sida::worker {
namespace {

std::string first_bytes(const proto::Fingerprint& fingerprint) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < 6; ++i) {
    text += kDigits[fingerprint[i] >> 4U];
    text += kDigits[fingerprint[i] & 15U];
  }
  return text;
}

}  // namespace

std::optional<proto::Refuse> RouterPeers::refusal(const WorkerIdentity& identity, const proto::Hello& hello) {
  const std::string& self = identity.welcome.name;
  if (hello.model != identity.welcome.model) {
    return proto::Refuse{ErrorCode::kMismatch, self + " serves model " + first_bytes(identity.welcome.model) +
                                                   ", the router " + first_bytes(hello.model) +
                                                   ": give both the same model directory"};
  }
  if (hello.compute_dtype != identity.compute_dtype) {
    return proto::Refuse{ErrorCode::kMismatch, self + " computes in " + std::string(name(identity.compute_dtype)) +
                                                   ", the router in " + std::string(name(hello.compute_dtype)) +
                                                   ": give both the same --dtype"};
  }
  const bool channel_fits =
      std::ranges::find(hello.channels, identity.welcome.channel) != hello.channels.end() || hello.channels.empty();
  if (!channel_fits) return proto::Refuse{ErrorCode::kMismatch, self + " offers none of the router's tensor channels"};
  return std::nullopt;
}

bool RouterPeers::greet_control(PeerId peer, RouterId router, TimePoint now) {
  if (control_.size() >= peers_max_ && !control_.contains(peer)) return false;
  Control& control = control_[peer];
  control.router = router;
  control.last_heard = now;
  return true;
}

bool RouterPeers::greet_tensor(PeerId peer, RouterId router) {
  // A channel is not told of its end: the oldest is dropped for a new one. Peer ids count up.
  if (tensor_.size() >= peers_max_ && !tensor_.contains(peer)) tensor_.erase(tensor_.begin());
  tensor_[peer] = router;
  return true;
}

bool RouterPeers::heard_control(PeerId peer, TimePoint now) {
  auto found = control_.find(peer);
  if (found == control_.end()) return false;
  found->second.last_heard = now;
  return true;
}

std::optional<RouterId> RouterPeers::tensor_router(PeerId peer) const {
  auto found = tensor_.find(peer);
  return found == tensor_.end() ? std::nullopt : std::optional(found->second);
}

bool RouterPeers::knows(RouterId router) const {
  return std::ranges::any_of(control_, [&](const auto& entry) { return entry.second.router == router; });
}

bool RouterPeers::take_roster(PeerId peer, proto::Roster roster) {
  Control& control = control_.at(peer);
  if (control.roster && control.roster->epoch > roster.epoch) return false;
  const bool changed = !control.roster || control.roster->members != roster.members;
  control.roster = std::move(roster);
  return changed;
}

bool RouterPeers::forget_silent(TimePoint before) {
  bool roster_gone = false;
  std::erase_if(control_, [&](const auto& entry) {
    if (entry.second.last_heard >= before) return false;
    roster_gone |= entry.second.roster.has_value();
    return true;
  });
  return roster_gone;
}

std::vector<PeerId> RouterPeers::control_peers() const {
  std::vector<PeerId> peers;
  for (const auto& [peer, control] : control_) peers.push_back(peer);
  return peers;
}

bool RouterPeers::has_roster() const {
  return std::ranges::any_of(control_, [](const auto& entry) { return entry.second.roster.has_value(); });
}

std::vector<proto::Member> RouterPeers::members(const proto::Member& self) const {
  std::map<WorkerId, proto::Member> all{{self.worker, self}};
  for (const auto& [peer, control] : control_) {
    if (!control.roster) continue;
    for (const proto::Member& member : control.roster->members) {
      proto::Member& known = all.try_emplace(member.worker, member).first->second;
      known.draining |= member.draining && member.worker != self.worker;
    }
  }
  std::vector<proto::Member> members;
  for (auto& [worker, member] : all) members.push_back(std::move(member));
  return members;
}

}  // namespace sida::worker

// The routers that a worker knows: their control links, tensor channels and rosters. No I/O.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "common/base/ids.h"
#include "common/proto/messages.h"
#include "common/runtime/clock.h"
#include "expert-worker/core/worker_actions.h"

namespace sida::worker {

class RouterPeers {
 public:
  // Null when the router may use this worker; else what it is told.
  static std::optional<proto::Refuse> refusal(const WorkerIdentity& identity, const proto::Hello& hello);

  explicit RouterPeers(std::size_t peers_max) : peers_max_(peers_max) {}

  // False when there are too many peers.
  bool greet_control(PeerId peer, RouterId router, TimePoint now);
  bool greet_tensor(PeerId peer, RouterId router);
  // False when the peer has not greeted.
  bool heard_control(PeerId peer, TimePoint now);
  // Nothing when the peer has not greeted.
  [[nodiscard]] std::optional<RouterId> tensor_router(PeerId peer) const;
  // Greeted on a control link.
  [[nodiscard]] bool knows(RouterId router) const;
  // True when it changes what the routers say together.
  bool take_roster(PeerId peer, proto::Roster roster);
  void forget_tensor(PeerId peer) { tensor_.erase(peer); }
  // Control peers silent since `before`, with their tensor channels; true when a roster went with one.
  bool forget_silent(TimePoint before);

  [[nodiscard]] std::vector<PeerId> control_peers() const;
  [[nodiscard]] bool has_roster() const;
  // Members of all routers' rosters together; one that any router calls draining is draining. `self` is always among
  // them: a roster may have left before its router knew us.
  [[nodiscard]] std::vector<proto::Member> members(const proto::Member& self) const;

 private:
  struct Control {
    RouterId router;
    TimePoint last_heard;
    std::optional<proto::Roster> roster;
  };
  const std::size_t peers_max_;
  std::map<PeerId, Control> control_;
  std::map<PeerId, RouterId> tensor_;
};

}  // namespace sida::worker

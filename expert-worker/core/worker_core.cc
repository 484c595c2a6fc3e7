#include "expert-worker/core/worker_core.h"

#include <algorithm>
#include <string>
#include <utility>

namespace sida::worker {

namespace {

// Demands per slot. Longer remembers more, shorter follows other topics sooner; from 1 to 64 each step reads less on
// recorded and made-up routes, from 16 on by little (docs/decisions/0006-eviction-and-prefetching.md).
constexpr double kWantedHalfLife = 16;

}  // namespace

WorkerCore::WorkerCore(WorkerIdentity identity, WorkerLimits limits, TimePoint now)
    : identity_(std::move(identity)),
      limits_(limits),
      peers_(limits.peers_max),
      slots_(identity_.welcome.capacity.slots),
      eviction_(make_eviction_policy(limits.eviction)),
      wanted_(kWantedHalfLife * identity_.welcome.capacity.slots),
      share_(identity_.moe_layers, identity_.experts_per_layer),
      expected_(limits.prefetch_max, limits.expected_for),
      admission_(limits.prefetch),
      load_time_(limits.first_load_time),
      share_due_(now + limits.roster_grace),
      next_tick_(now),
      next_residency_(now) {
  SIDA_CHECK(slots_.slots() > 0);
}

WorkerActions WorkerCore::control_message(PeerId peer, const proto::Message& message, TimePoint now) {
  WorkerActions actions;
  if (const auto* hello = std::get_if<proto::Hello>(&message)) {
    greet(peer, *hello, true, now, actions);
    return actions;
  }
  if (!peers_.heard_control(peer, now)) {
    ++counters_.malformed_messages;  // Its router greets again when it misses our heartbeats.
  } else if (const auto* roster = std::get_if<proto::Roster>(&message)) {
    if (peers_.take_roster(peer, *roster)) refresh_share();
  } else if (const auto* prefetch = std::get_if<proto::Prefetch>(&message)) {
    advise(peer, *prefetch, now);
  } else if (const auto* ended = std::get_if<proto::Forget>(&message)) {
    expected_.forget({peer, ended->sequence});
  } else if (std::holds_alternative<proto::Draining>(message)) {
    set_draining(true, actions);
  } else if (std::holds_alternative<proto::Resume>(message)) {
    set_draining(false, actions);
  } else if (!std::holds_alternative<proto::Heartbeat>(message)) {
    ++counters_.malformed_messages;
  }
  advance(now, actions);
  return actions;
}

WorkerActions WorkerCore::tensor_message(PeerId peer, const proto::Message& message, TimePoint now,
                                         TimePoint deadline) {
  WorkerActions actions;
  if (const auto* hello = std::get_if<proto::Hello>(&message)) {
    greet(peer, *hello, false, now, actions);
    return actions;
  }
  const auto* dispatch = std::get_if<proto::Dispatch>(&message);
  const auto* cancelled = std::get_if<proto::Cancel>(&message);
  auto router = peers_.tensor_router(peer);
  if (!router && dispatch != nullptr) {
    // Its greeting was lost, or sent to the process before this one.
    if (!peers_.knows(dispatch->id.router)) {
      ++counters_.dispatches_refused;
      actions.emplace_back(
          SendTensor{peer, proto::DispatchFailure{dispatch->id, ErrorCode::kUnavailable,
                                                  identity_.welcome.name + " was not greeted by this router yet"}});
      return actions;
    }
    router = dispatch->id.router;
    peers_.greet_tensor(peer, *router);
  }
  if (router && dispatch != nullptr && dispatch->id.router == *router) {
    admit(peer, *dispatch, deadline, actions);
  } else if (router && cancelled != nullptr) {
    cancel(*router, cancelled->id, actions);
  } else {
    ++counters_.malformed_messages;
  }
  advance(now, actions);
  return actions;
}

WorkerActions WorkerCore::malformed(PeerId peer, const Error& error, bool on_control_link) {
  ++counters_.malformed_messages;
  residency_changed_ = true;
  WorkerActions actions;
  if (error.code == ErrorCode::kMismatch) {
    proto::Refuse refuse{ErrorCode::kMismatch,
                         identity_.welcome.name + ": " + error.message + "; run the same version of sida everywhere"};
    if (on_control_link) actions.emplace_back(SendControl{peer, std::move(refuse)});
  }
  return actions;
}

void WorkerCore::greet(PeerId peer, const proto::Hello& hello, bool on_control_link, TimePoint now,
                       WorkerActions& actions) {
  if (auto refusal = RouterPeers::refusal(identity_, hello)) {
    if (on_control_link) {
      actions.emplace_back(SendControl{peer, *std::move(refusal)});
    } else {
      actions.emplace_back(SendTensor{peer, *std::move(refusal)});
    }
  } else if (!on_control_link) {
    peers_.greet_tensor(peer, hello.router);
  } else if (!peers_.greet_control(peer, hello.router, now)) {
    actions.emplace_back(SendControl{peer, proto::Refuse{ErrorCode::kOverloaded, "too many routers"}});
  } else {
    actions.emplace_back(SendControl{peer, identity_.welcome});
    // Said again each time: what was said before may have been lost with a connection.
    actions.emplace_back(
        SendControl{peer, draining_ ? proto::Message(proto::Draining{}) : proto::Message(proto::Resume{})});
    residency_changed_ = true;  // The new router does not know it yet.
  }
}

WorkerActions WorkerCore::tensor_peer_gone(PeerId peer, TimePoint now) {
  WorkerActions actions;
  peers_.forget_tensor(peer);
  std::vector<JobId> gone;
  for (const auto& [id, job] : jobs_) {
    if (job.peer == peer && !job.ended) gone.push_back(id);
  }
  for (JobId id : gone) end_job(id, actions);
  advance(now, actions);
  return actions;
}

WorkerActions WorkerCore::tick(std::uint64_t progress, TimePoint now) {
  WorkerActions actions;
  if (now < next_tick_) return actions;
  next_tick_ = now + kHeartbeatInterval;
  const bool roster_gone = peers_.forget_silent(now - limits_.router_timeout);
  if (roster_gone || (!has_share_ && now >= share_due_)) refresh_share();
  const std::vector<PeerId> peers = peers_.control_peers();
  for (PeerId peer : peers) actions.emplace_back(SendControl{peer, proto::Heartbeat{progress, computing()}});
  if (residency_changed_ && now >= next_residency_) {
    residency_changed_ = false;
    next_residency_ = now + limits_.residency_interval;
    for (PeerId peer : peers) actions.emplace_back(SendControl{peer, residency()});
  }
  advance(now, actions);
  return actions;
}

WorkerActions WorkerCore::drain(TimePoint /*now*/) {
  WorkerActions actions;
  leaving_ = true;
  set_draining(true, actions);
  return actions;
}

// Told again whenever it is asked again: a router may have missed it.
void WorkerCore::set_draining(bool draining, WorkerActions& actions) {
  draining_ = draining || leaving_;
  const proto::Message told = draining_ ? proto::Message(proto::Draining{}) : proto::Message(proto::Resume{});
  for (PeerId peer : peers_.control_peers()) actions.emplace_back(SendControl{peer, told});
}

void WorkerCore::advise(PeerId peer, const proto::Prefetch& prefetch, TimePoint now) {
  expected_.expire(now);  // Old advice leaves room for new.
  proto::Prefetch advice{.sequence = prefetch.sequence, .step = prefetch.step, .items = {}};
  for (const proto::Prefetch::Item& item : prefetch.items) {
    const bool exists = item.key.layer.value >= 0 && item.key.layer.value < identity_.moe_layers &&
                        item.key.expert.value >= 0 && item.key.expert.value < identity_.experts_per_layer;
    // What stays anyway needs no protection.
    const bool stays =
        exists && share_.fits() && share_.owns(item.key) && slots_.state(item.key) == Residence::kResident;
    if (exists && !stays) advice.items.push_back(item);
  }
  expected_.advise({peer, prefetch.sequence}, advice, now);
}

void WorkerCore::refresh_share() {
  const proto::Welcome& self = identity_.welcome;
  const proto::Member member{self.worker, self.name, self.capacity, self.numerics_id, self.covered_layers, false};
  share_.replace_members(peers_.members(member), self.worker, slots_.slots());
  const std::vector<ExpertKey> held = slots_.resident();
  const auto foreign = [this](ExpertKey key) { return !share_.owns(key); };
  foreign_ = static_cast<std::size_t>(std::ranges::count_if(held, foreign)) +
             static_cast<std::size_t>(
                 std::ranges::count_if(loading_, foreign, [](const auto& entry) { return entry.second.key; }));
  has_share_ = true;
}

proto::Residency WorkerCore::residency() const {
  return {.resident = slots_.resident(),
          .memory_bytes = slots_.used() * identity_.welcome.capacity.expert_bytes,
          .hits = counters_.hits,
          .misses = counters_.misses,
          .rows_served = counters_.rows_served,
          .prefetches = counters_.prefetches,
          .prefetches_useful = counters_.prefetches_useful,
          .prefetches_late = counters_.prefetches_late,
          .prefetches_wasted = counters_.prefetches_wasted,
          .prefetches_cancelled = counters_.prefetches_cancelled,
          .reads = counters_.loads,
          .prefetching = admission_.on(),
          .faults = {counters_.malformed_messages, faults_.unknown_keys, faults_.handshakes}};
}

void WorkerCore::links_refused(std::uint64_t unknown_keys, std::uint64_t handshakes) {
  const proto::LinkFaults faults{0, unknown_keys, handshakes};
  if (std::exchange(faults_, faults) != faults) residency_changed_ = true;
}

}  // namespace sida::worker

#include "router/core/links.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <bit>
#include <map>
#include <type_traits>
#include <utility>
#include <variant>

#include "common/proto/codec.h"

namespace sida::router {
namespace {

constexpr int kBurst = 256;                    // Messages of one peer per turn; then the others get theirs.
constexpr std::size_t kNamesMax = 4096;        // Incarnations remembered; beyond, only the live ones.
constexpr std::uint8_t kPredictedExperts = 3;  // k: enough for top-3 hits in the measurements.

proto::Member member_of(const proto::Welcome& welcome, bool draining) {
  return {welcome.worker, welcome.name, welcome.capacity, welcome.numerics_id, welcome.covered_layers, draining};
}

bool names_decoder(const proto::Welcome& predictor, std::int32_t encoder_layers) {
  const auto& covered = predictor.covered_layers;
  return covered.empty() || std::ranges::any_of(covered, [&](LayerId layer) { return layer.value >= encoder_layers; });
}

}  // namespace

std::string reachable_data_endpoint(const std::string& control_endpoint, const std::string& announced) {
  constexpr std::string_view kTcp = "tcp://";
  if (!control_endpoint.starts_with(kTcp)) return announced;
  if (!announced.starts_with(kTcp)) return "";  // No socket of this host's own, whatever a remote peer says.
  const auto host_end = control_endpoint.rfind(':');
  const auto port = announced.rfind(':');
  return control_endpoint.substr(0, host_end) + announced.substr(port);
}

PeerLink::PeerLink(PeerRole role, NamedEndpoint where, const proto::Hello& hello,
                   std::unique_ptr<transport::ControlClient> client)
    : where_(std::move(where)), core_(role, where_.name, hello), client_(std::move(client)) {}

bool PeerLink::send(const proto::Message& message) {
  return client_->send(transport::Frame::take(proto::encode({.header = {}, .message = message}))).has_value();
}

bool PeerLink::poll(TimePoint now, std::vector<proto::Message>& inbox) {
  bool active = false;
  for (int taken = 0; taken < kBurst; ++taken) {
    auto frame = client_->receive();
    if (!frame) break;
    active = true;
    auto envelope = proto::decode(frame->bytes());
    if (!envelope) {
      // The first, and then ever more rarely: a peer must not fill the log.
      if (std::has_single_bit(++malformed_messages_)) {
        spdlog::warn("malformed message peer={} count={} error=\"{}\"", where_.name, malformed_messages_,
                     envelope.error().message);
      }
      continue;
    }
    if (core_.received(envelope->message, now)) changed_ = true;
    inbox.push_back(std::move(envelope->message));
  }
  if (const std::uint64_t interruptions = client_->interruptions(); interruptions != interruptions_) {
    interruptions_ = interruptions;
    core_.link_interrupted();
  }
  for (const proto::Message& message : core_.tick(now)) {
    send(message);
    active = true;  // A send may consume the wake-up of a message that came meanwhile.
  }
  if (core_.take_changed()) changed_ = true;
  return active;
}

bool PeerLink::take_changed() {
  if (!std::exchange(changed_, false)) return false;
  spdlog::info("peer changed name={} state={} detail=\"{}\"", where_.name, name(core_.state()), core_.detail());
  return true;
}

ProcessStatus PeerLink::status(const std::string& role) const {
  ProcessStatus status{.name = where_.name,
                       .role = role,
                       .pid = 0,
                       .address = where_.endpoint,
                       .state = std::string(name(core_.state())),
                       .detail = core_.detail()};
  if (core_.welcome()) {
    status.name = core_.welcome()->name;
    status.pid = core_.welcome()->process_id;
  }
  return status;
}

Result<std::vector<std::unique_ptr<PeerLink>>> connect_peers(transport::Transport& transport, PeerRole role,
                                                             const std::vector<NamedEndpoint>& peers,
                                                             const proto::Hello& hello) {
  std::vector<std::unique_ptr<PeerLink>> links;
  for (const NamedEndpoint& peer : peers) {
    auto client = transport.connect_control({peer.endpoint, peer.key()});
    if (!client) return fail_at(peer.name, std::move(client).error());
    links.push_back(std::make_unique<PeerLink>(role, peer, hello, std::move(*client)));
  }
  return links;
}

bool PeerLink::given_up() const {
  return !wanted_ && core_.state() != PeerState::kReady && core_.state() != PeerState::kDraining;
}

namespace {

std::vector<NamedEndpoint> change_links(std::vector<std::unique_ptr<PeerLink>>& links, const PeerChange& change,
                                        const PeerConnector& connector) {
  std::vector<NamedEndpoint> failed;
  const auto find = [&links](const NamedEndpoint& peer) {
    return std::ranges::find_if(links, [&peer](const auto& link) { return link->where().endpoint == peer.endpoint; });
  };
  for (const NamedEndpoint& peer : change.gone) {
    if (const auto known = find(peer); known != links.end()) (*known)->set_wanted(false);
    spdlog::info("peer gone from its name peer={}", peer.name);
  }
  for (const NamedEndpoint& peer : change.come) {
    if (const auto known = find(peer); known != links.end()) {
      (*known)->set_wanted(true);
      continue;
    }
    auto made = connect_peers(connector.transport, connector.role, {peer}, connector.hello);
    if (!made) {
      spdlog::error("peer not connected error=\"{}\"", made.error().message);
      failed.push_back(peer);
      continue;
    }
    spdlog::info("peer found by its name peer={}", peer.name);
    links.push_back(std::move(made->front()));
  }
  return failed;
}

}  // namespace

std::vector<NamedEndpoint> WorkerLinks::change(const PeerChange& change, const PeerConnector& connector) {
  return change_links(links_, change, connector);
}

bool WorkerLinks::poll(TimePoint now) {
  bool active = false;
  bool roster_changed = false;
  for (const auto& link : links_) {
    std::vector<proto::Message> inbox;
    active |= link->poll(now, inbox);
    for (const proto::Message& message : inbox) take_message(*link, message);
    roster_changed |= link->take_changed();
  }
  roster_changed |= std::erase_if(links_, [](const auto& link) { return link->given_up(); }) > 0;
  if (roster_changed) {
    changed_ = true;
    send_roster();
  }
  return active || roster_changed;
}

void WorkerLinks::take_message(PeerLink& link, const proto::Message& message) {
  const auto& welcome = link.core().welcome();
  if (!welcome) return;
  names_[welcome->worker] = welcome->name;
  if (const auto* residency = std::get_if<proto::Residency>(&message)) {
    residency_[welcome->worker] = std::make_shared<const proto::Residency>(*residency);
  }
}

void WorkerLinks::send_roster() {
  proto::Roster roster{.epoch = ++epoch_, .members = {}};
  for (TrunkWorker& worker : live()) roster.members.push_back(std::move(worker.member));
  owners_ = placement::Owners(roster.members, experts_total_);
  forget_gone(roster);
  for (const auto& link : links_) {
    if (link->core().ready()) link->send(roster);
  }
}

void WorkerLinks::forget_gone(const proto::Roster& roster) {
  const auto gone = [&](const auto& entry) {
    return std::none_of(roster.members.begin(), roster.members.end(),
                        [&](const proto::Member& member) { return member.worker == entry.first; });
  };
  std::erase_if(residency_, gone);
  // Names outlive their workers a while: a step in flight may still report rows that they served.
  if (names_.size() > kNamesMax) std::erase_if(names_, gone);
}

bool WorkerLinks::take_changed() {
  return std::exchange(changed_, false);
}

std::vector<TrunkWorker> WorkerLinks::live() const {
  std::vector<TrunkWorker> workers;
  std::set<WorkerId> seen;
  for (const auto& link : links_) {
    const PeerState state = link->core().state();
    if (state != PeerState::kReady && state != PeerState::kDraining) continue;
    const proto::Welcome& welcome = *link->core().welcome();
    if (!seen.insert(welcome.worker).second) continue;  // Found at two addresses.
    const bool is_remote = link->where().endpoint.starts_with("tcp://");
    workers.push_back({member_of(welcome, state == PeerState::kDraining),
                       reachable_data_endpoint(link->where().endpoint, welcome.data_endpoint),
                       is_remote ? "" : welcome.shared_memory_endpoint, link->where().key()});
  }
  return workers;
}

bool WorkerLinks::covers(std::int32_t moe_layers) const {
  auto workers = live();
  std::erase_if(workers, [](const TrunkWorker& worker) { return worker.member.draining; });
  for (std::int32_t layer = 0; layer < moe_layers; ++layer) {
    const bool covered = std::any_of(workers.begin(), workers.end(), [&](const TrunkWorker& worker) {
      const auto& layers = worker.member.covered_layers;
      return layers.empty() || std::find(layers.begin(), layers.end(), LayerId{layer}) != layers.end();
    });
    if (!covered) return false;
  }
  return !workers.empty();
}

void WorkerLinks::ask(const std::string& name, const proto::Message& order) {
  for (const auto& link : links_) {
    const PeerState state = link->core().state();
    const bool answers = state == PeerState::kReady || state == PeerState::kDraining;
    if (!answers || link->core().welcome()->name != name) continue;
    const bool sent = link->send(order);
    spdlog::info("worker asked name={} order={} sent={}", name,
                 std::holds_alternative<proto::Draining>(order) ? "drain" : "undrain", sent);
  }
}

void WorkerLinks::prefetch(const proto::Prefetch& advice) {
  std::map<WorkerId, std::vector<proto::Prefetch::Item>> by_worker;
  for (const WorkerId worker : advised_[advice.sequence]) by_worker[worker];  // An earlier step is over there.
  for (const proto::Prefetch::Item& item : advice.items) {
    const auto owners = owners_.of(item.key);
    if (!owners.empty()) by_worker[owners.front()].push_back(item);
  }
  for (const auto& link : links_) {
    if (!link->core().ready()) continue;
    const WorkerId worker = link->core().welcome()->worker;
    const auto found = by_worker.find(worker);
    if (found == by_worker.end()) continue;
    link->send(proto::Prefetch{advice.sequence, advice.step, std::move(found->second)});
    advised_[advice.sequence].insert(worker);
  }
}

void WorkerLinks::forget(SequenceId sequence) {
  const auto advised = advised_.extract(sequence);
  if (advised.empty()) return;
  for (const auto& link : links_) {
    if (link->core().ready() && advised.mapped().contains(link->core().welcome()->worker)) {
      link->send(proto::Forget{sequence});
    }
  }
}

std::string WorkerLinks::worker_name(WorkerId worker) const {
  const auto found = names_.find(worker);
  return found == names_.end() ? std::string() : found->second;
}

std::vector<WorkerStatus> WorkerLinks::status() const {
  std::vector<WorkerStatus> all;
  std::set<WorkerId> seen;
  for (const auto& link : links_) {
    const auto& welcome = link->core().welcome();
    if (!welcome || !seen.insert(welcome->worker).second) continue;
    WorkerStatus status{.name = welcome->name};
    status.memory_budget_bytes = welcome->capacity.memory_budget_bytes;
    status.kernel = welcome->kernel;
    status.expert_slots = welcome->capacity.slots;
    status.expert_bytes = welcome->capacity.expert_bytes;
    if (const auto kind = channels_.find(welcome->worker); kind != channels_.end()) {
      status.channel = proto::name(kind->second);
    }
    const auto found = residency_.find(welcome->worker);
    if (found != residency_.end()) {
      const proto::Residency& residency = *found->second;
      status.resident = {found->second, &residency.resident};
      status.experts_resident = residency.resident.size();
      status.memory_bytes = residency.memory_bytes;
      status.rows_served = residency.rows_served;
      status.hits = residency.hits;
      status.misses = residency.misses;
      status.bytes_waited = residency.misses * welcome->capacity.expert_bytes;
      status.prefetches = residency.prefetches;
      status.prefetches_useful = residency.prefetches_useful;
      status.prefetches_late = residency.prefetches_late;
      status.prefetches_wasted = residency.prefetches_wasted;
      status.prefetches_cancelled = residency.prefetches_cancelled;
      status.prefetching = residency.prefetching;
      status.faults = residency.faults;
      status.bytes_read = residency.reads * welcome->capacity.expert_bytes;
    }
    all.push_back(std::move(status));
  }
  return all;
}

std::vector<NamedEndpoint> PredictorLinks::change(const PeerChange& change, const PeerConnector& connector) {
  return change_links(links_, change, connector);
}

bool PredictorLinks::poll(TimePoint now, std::vector<proto::HashTableEntries>& entries) {
  bool active = false;
  for (const auto& link : links_) {
    std::vector<proto::Message> inbox;
    active |= link->poll(now, inbox);
    if (link->take_changed()) reports_.erase(link.get());
    for (proto::Message& message : inbox) {
      if (auto* received = std::get_if<proto::HashTableEntries>(&message)) entries.push_back(std::move(*received));
      if (const auto* report = std::get_if<proto::PredictorReport>(&message)) reports_[link.get()] = *report;
    }
  }
  std::erase_if(links_, [this](const auto& link) {
    if (!link->given_up()) return false;
    reports_.erase(link.get());
    std::erase_if(homes_, [&link](const auto& home) { return home.second == link.get(); });
    return true;
  });
  return active;
}

std::vector<PredictorStatus> PredictorLinks::status() const {
  std::vector<PredictorStatus> all;
  for (const auto& link : links_) {
    const auto report = reports_.find(link.get());
    const auto& welcome = link->core().welcome();
    if (welcome && report != reports_.end()) all.push_back({welcome->name, welcome->kernel, report->second});
  }
  return all;
}

bool PredictorLinks::predict(SequenceId sequence, const std::vector<std::int32_t>& tokens) {
  for (std::size_t tried = 0; tried < links_.size(); ++tried) {
    PeerLink& link = *links_[next_++ % links_.size()];
    if (!link.core().ready()) continue;
    const bool sent = link.send(proto::Predict{sequence, tokens, kPredictedExperts});
    if (sent) homes_[sequence] = &link;
    return sent;
  }
  return false;
}

bool PredictorLinks::advance(SequenceId sequence, std::uint32_t position, std::int32_t token) {
  const auto home = homes_.find(sequence);
  if (home == homes_.end() || !home->second->core().ready()) return false;
  if (!names_decoder(*home->second->core().welcome(), encoder_layers_)) return false;
  return home->second->send(proto::Advance{sequence, position, token, kPredictedExperts});
}

void PredictorLinks::forget(SequenceId sequence) {
  const auto home = homes_.find(sequence);
  if (home == homes_.end()) return;
  if (home->second->core().ready()) home->second->send(proto::Forget{sequence});
  homes_.erase(home);
}

}  // namespace sida::router

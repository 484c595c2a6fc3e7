// The router's control links: to every configured expert-worker and predictor. They carry out what PeerCore decides.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/placement/owners.h"
#include "common/proto/messages.h"
#include "common/runtime/clock.h"
#include "common/transport/transport.h"
#include "router/core/peer_core.h"
#include "router/core/request.h"
#include "router/trunk/step.h"

namespace sida::router {

struct NamedEndpoint {
  std::string name;      // "worker-0"; shown until the process tells its own.
  std::string endpoint;  // Of its control link.
  std::string key_name;  // Whose public keys it answers with, where the link is encrypted; empty: `name`'s.

  [[nodiscard]] const std::string& key() const { return key_name.empty() ? name : key_name; }
};

struct PeerChange {
  std::vector<NamedEndpoint> come;
  std::vector<NamedEndpoint> gone;
};

// Where rows go: `announced` is the worker's own view of its data endpoint. On a network only its port counts, and the
// host is the one that the control link goes to: no peer's message says whom to connect to.
std::string reachable_data_endpoint(const std::string& control_endpoint, const std::string& announced);

// One peer: its link and what is known of it. The router agent's thread only, as all of this file.
class PeerLink {
 public:
  PeerLink(PeerRole role, NamedEndpoint where, const proto::Hello& hello,
           std::unique_ptr<transport::ControlClient> client);

  // Reads the link dry into `inbox` (messages that PeerCore does not consume), sends what is due. True when active.
  bool poll(TimePoint now, std::vector<proto::Message>& inbox);
  // Advice may be lost: false when the queue is full.
  bool send(const proto::Message& message);

  [[nodiscard]] PeerCore& core() { return core_; }
  [[nodiscard]] const PeerCore& core() const { return core_; }
  [[nodiscard]] const NamedEndpoint& where() const { return where_; }
  [[nodiscard]] int wake_descriptor() const { return client_->wake_descriptor(); }
  [[nodiscard]] ProcessStatus status(const std::string& role) const;
  [[nodiscard]] std::uint64_t malformed_messages() const { return malformed_messages_; }
  // True once after each change of state or incarnation.
  bool take_changed();

  // No name stands for its address any more: it is given up once it does not answer.
  void set_wanted(bool wanted) { wanted_ = wanted; }
  [[nodiscard]] bool given_up() const;

 private:
  NamedEndpoint where_;
  PeerCore core_;
  std::unique_ptr<transport::ControlClient> client_;
  bool wanted_ = true;
  bool changed_ = false;
  std::uint64_t interruptions_ = 0;  // Of the client, as far as they were dealt with.
  std::uint64_t malformed_messages_ = 0;
};

// Connecting is immediate and never blocks; a peer that is not there yet is greeted until it answers.
Result<std::vector<std::unique_ptr<PeerLink>>> connect_peers(transport::Transport& transport, PeerRole role,
                                                             const std::vector<NamedEndpoint>& peers,
                                                             const proto::Hello& hello);

// How links are made.
struct PeerConnector {
  transport::Transport& transport;
  PeerRole role;
  proto::Hello hello;
};

// All workers: who is live, the roster they are told, residency, prefetch.
class WorkerLinks {
 public:
  // `experts_total`: of the model, all MoE layers together.
  WorkerLinks(std::vector<std::unique_ptr<PeerLink>> links, std::uint64_t experts_total)
      : links_(std::move(links)), experts_total_(experts_total) {}

  // True when active. Sends the roster around when somebody came or went.
  bool poll(TimePoint now);
  // Connects to those that come. Those that are gone may still answer, and are left alone until they do not.
  // Returns those that could not be connected now; to be tried again.
  std::vector<NamedEndpoint> change(const PeerChange& change, const PeerConnector& connector);
  // True once after each change of live().
  bool take_changed();

  [[nodiscard]] std::vector<TrunkWorker> live() const;  // Ready, or draining and finishing what it has.
  // Every layer in [0, moe_layers) is covered by a ready worker.
  [[nodiscard]] bool covers(std::int32_t moe_layers) const;
  // Asks it to drain, if there is one of this name that answers.
  void drain(const std::string& name) { ask(name, proto::Draining{}); }
  // Asks it to take rows again, likewise.
  void undrain(const std::string& name) { ask(name, proto::Resume{}); }
  // Hands each item to its owner, and what is for an earlier step of the sequence ends.
  void prefetch(const proto::Prefetch& advice);
  // The sequence has ended.
  void forget(SequenceId sequence);

  // For status().
  void set_channels(WorkerChannels kinds) { channels_ = std::move(kinds); }

  [[nodiscard]] std::string worker_name(WorkerId worker) const;
  [[nodiscard]] std::vector<std::unique_ptr<PeerLink>> const& links() const { return links_; }
  [[nodiscard]] std::vector<WorkerStatus> status() const;

 private:
  void take_message(PeerLink& link, const proto::Message& message);
  void send_roster();
  void ask(const std::string& name, const proto::Message& order);
  void forget_gone(const proto::Roster& roster);

  std::vector<std::unique_ptr<PeerLink>> links_;
  std::uint64_t experts_total_;
  placement::Owners owners_;
  std::unordered_map<WorkerId, std::shared_ptr<const proto::Residency>> residency_;
  std::unordered_map<WorkerId, std::string> names_;  // Of every incarnation seen.
  std::unordered_map<SequenceId, std::set<WorkerId>> advised_;
  WorkerChannels channels_;
  std::uint64_t epoch_ = 0;
  bool changed_ = false;
};

// All predictors. A sequence stays with the one that was told of it, since that one keeps its state.
class PredictorLinks {
 public:
  // `encoder_layers`: MoE layers of the model's encoder, which come before the decoder's.
  PredictorLinks(std::vector<std::unique_ptr<PeerLink>> links, std::int32_t encoder_layers)
      : links_(std::move(links)), encoder_layers_(encoder_layers) {}

  // As WorkerLinks'.
  // Returns those that could not be connected now; to be tried again.
  std::vector<NamedEndpoint> change(const PeerChange& change, const PeerConnector& connector);
  // Appends the entries that came in.
  bool poll(TimePoint now, std::vector<proto::HashTableEntries>& entries);

  // Both: true when a predictor was asked, so that entries may come. One that names no experts of the decoder is not
  // asked about its tokens.
  bool predict(SequenceId sequence, const std::vector<std::int32_t>& tokens);
  bool advance(SequenceId sequence, std::uint32_t position, std::int32_t token);
  void forget(SequenceId sequence);

  [[nodiscard]] std::vector<std::unique_ptr<PeerLink>> const& links() const { return links_; }
  // Of those that are there.
  [[nodiscard]] std::vector<PredictorStatus> status() const;

 private:
  std::vector<std::unique_ptr<PeerLink>> links_;
  std::int32_t encoder_layers_;
  std::unordered_map<const PeerLink*, proto::PredictorReport> reports_;  // The newest of each.
  std::unordered_map<SequenceId, PeerLink*> homes_;
  std::size_t next_ = 0;
};

}  // namespace sida::router

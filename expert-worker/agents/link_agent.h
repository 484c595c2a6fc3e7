// The thread that talks to routers: reads all servers, asks WorkerCore, and carries out what it decides.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <unordered_map>

#include "common/runtime/alive_file.h"
#include "common/runtime/wake_event.h"
#include "common/transport/control_link.h"
#include "common/transport/keys/keyring.h"
#include "expert-worker/agents/compute_agent.h"
#include "expert-worker/agents/store_agent.h"
#include "expert-worker/agents/tensor_servers.h"
#include "expert-worker/core/worker_core.h"

namespace sida::worker {

class LinkAgent {
 public:
  struct Parts {
    std::unique_ptr<transport::ControlServer> control;
    TensorServers tensors;
    ComputeAgent& compute;  // These outlive the agent.
    StoreAgent& store;
    WorkerEvents& events;
    std::shared_ptr<const transport::Keyring> keyring;  // nullptr where no link leaves this host.
    AliveFile alive;
  };
  LinkAgent(WorkerCore core, Parts parts, std::chrono::milliseconds drain_grace);

  // Serves until stop(), and then until what is in flight has ended or the grace is over.
  void run();

  // Any thread, and safe in a signal handler.
  void stop();

 private:
  void drain_control(TimePoint now);
  void drain_tensors(TimePoint now);
  void drain_events(TimePoint now);
  void take_tensor(transport::TensorServer::Received received, TimePoint now);
  void apply(WorkerActions actions);
  void tell_prefetching();
  void apply(SendControl& action);
  void apply(SendTensor& action);
  void apply(AdmitJob& action);
  void apply(LoadExpert& action);
  void apply(DemandLoad& action);
  void apply(CancelLoad& action);
  void apply(ComputeGroups& action);
  void apply(FinishJob& action);
  void apply(DropJob& action);
  void send_tensor(PeerId peer, const proto::Message& message, transport::Frame rows);

  WorkerCore core_;
  Parts parts_;
  const std::chrono::milliseconds drain_grace_;
  std::unordered_map<JobId, std::shared_ptr<JobRows>> rows_;
  std::shared_ptr<JobRows> arriving_;  // Of the dispatch that the core is asked about.
  std::vector<PeerId> gone_;           // Tensor peers that a send found gone.
  bool prefetching_ = false;           // As it was told last.
  bool active_ = false;                // Something was received or sent in this turn.
  WakeEvent stop_event_;
  std::atomic<bool> stopping_{false};
};

}  // namespace sida::worker

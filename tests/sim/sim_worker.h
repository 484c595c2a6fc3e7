// One expert-worker process: the real WorkerCore, with simulated disk, compute and death.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "expert-worker/core/worker_core.h"
#include "tests/sim/sim_model.h"
#include "tests/sim/sim_network.h"

namespace sida::sim {

// What outlives a process: the machine it runs on.
struct SimMachine {
  std::string name;
  std::uint32_t slots = 1;
  std::uint64_t numerics_id = 1;
  std::uint64_t credit_bytes = 1 << 20;
  std::chrono::microseconds load_time{2000};
  std::chrono::microseconds row_time{20};
  std::set<ExpertKey> damaged;  // Experts that cannot be read here.
};

class SimWorker : public Server {
 public:
  SimWorker(EventLoop& loop, SimRandom& random, Network& network, const SimMachine& machine, const SimModel& model,
            WorkerId id);
  ~SimWorker() override;  // The process dies: whatever it had is lost.
  SimWorker(const SimWorker&) = delete;
  SimWorker& operator=(const SimWorker&) = delete;

  void receive(PeerId peer, LinkKind kind, Packet packet) override;

  void freeze(TimePoint until) { frozen_until_ = until; }  // SIGSTOP, then SIGCONT.
  void stick() { stuck_ = true; }                          // The compute thread never returns.
  void drain();                                            // SIGTERM.
  [[nodiscard]] bool drained() const { return core_.drained(); }
  [[nodiscard]] const worker::WorkerCore& core() const { return core_; }

 private:
  struct JobRows {
    RowValues input;
    RowValues output;
  };

  void schedule(TimePoint time, std::function<void()> run);
  void tick();
  void take(PeerId peer, LinkKind kind, const Packet& packet);
  void apply(const worker::WorkerActions& actions);
  void apply(const worker::SendControl& action);
  void apply(const worker::SendTensor& action);
  void apply(const worker::AdmitJob& action);
  void apply(const worker::LoadExpert& action);
  void apply(const worker::DemandLoad& action);
  void apply(const worker::CancelLoad& action);
  void apply(const worker::ComputeGroups& action);
  void apply(const worker::FinishJob& action);
  void apply(const worker::DropJob& action);
  void read_on();
  void end_load(worker::SlotId slot, const Result<void>& outcome);
  void finish_compute(const worker::ComputeGroups& work, const std::shared_ptr<JobRows>& rows,
                      const std::vector<ExpertKey>& experts, std::chrono::microseconds took);

  EventLoop& loop_;
  SimRandom& random_;
  Network& network_;
  const SimMachine& machine_;
  worker::WorkerCore core_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::vector<ExpertKey> memory_;  // What each slot holds.
  std::map<worker::JobId, std::shared_ptr<JobRows>> rows_;
  RowValues arriving_;
  TimePoint frozen_until_{};
  struct Load {
    ExpertKey key;
    int pieces_left = 0;
    std::chrono::microseconds piece_time{};
    std::chrono::microseconds took{};
  };
  worker::LoadQueue disk_;
  std::map<worker::SlotId, Load> loads_;  // Those in the queue.
  bool reading_ = false;
  TimePoint compute_free_{};
  bool stuck_ = false;
  std::uint64_t progress_ = 0;
};

}  // namespace sida::sim

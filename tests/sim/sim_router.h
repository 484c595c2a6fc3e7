// One router process: the real PeerCore per worker and the real DispatchCore, driven by micro-batches that walk through
// the layers of the simulated model. It checks every promise that it can see.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "router/core/peer_core.h"
#include "router/dispatch/dispatch_core.h"
#include "tests/sim/sim_model.h"
#include "tests/sim/sim_network.h"

namespace sida::sim {

class SimRouter {
 public:
  SimRouter(EventLoop& loop, SimRandom& random, Network& network, const SimModel& model, RouterId id);

  void add_worker(const std::string& name);
  // Starts a micro-batch of so many layer calls, one after another. `patience`: of each call; zero: no deadline.
  void start_batch(std::size_t rows, int calls, Duration patience);

  // When one worker is always there, no call may fail for want of workers.
  void expect_no_failures() { failures_allowed_ = false; }

  [[nodiscard]] std::size_t batches_running() const { return calls_.size() + batches_starting_; }
  [[nodiscard]] std::uint64_t calls_ended() const { return calls_ended_; }
  [[nodiscard]] std::uint64_t calls_failed() const { return calls_failed_; }
  [[nodiscard]] const router::DispatchCounters& counters() const { return core_.counters(); }

 private:
  struct Peer {
    std::string name;
    router::PeerCore core;
    PeerId control;
    std::optional<PeerId> tensor;  // To the incarnation in tensor_worker.
    WorkerId tensor_worker;
  };
  struct Call {
    RowValues rows;
    RowValues out;
    std::vector<std::int32_t> experts;
    std::vector<int> accepted;
    LayerId layer;
    TimePoint deadline;
    int calls_left = 0;
    Duration patience{};
  };

  void tick();
  void start_call(RowValues rows, int calls_left, Duration patience);
  void advise();
  void receive_control(std::size_t peer, const Packet& packet);
  void receive_tensor(WorkerId worker, const Packet& packet);
  void members_changed();
  void arm();
  void apply(const router::DispatchActions& actions);
  void apply(const router::SendPart& action);
  void apply(const router::AcceptRows& action);
  void apply(const router::CancelPart& action);
  void apply(const router::CompleteCall& action);
  void apply(const router::FailCall& action);
  [[nodiscard]] Peer* peer_of(WorkerId worker);

  EventLoop& loop_;
  SimRandom& random_;
  Network& network_;
  const SimModel& model_;
  proto::Hello hello_;
  router::DispatchCore core_;
  std::vector<Peer> peers_;
  std::map<router::CallId, Call> calls_;
  std::uint64_t last_call_ = 0;
  std::uint64_t epoch_ = 0;
  std::size_t batches_starting_ = 0;
  std::uint64_t calls_ended_ = 0;
  std::uint64_t calls_failed_ = 0;
  bool failures_allowed_ = true;
  const RowValues* result_rows_ = nullptr;  // Of the result being handed to the core.
  TimePoint armed_ = TimePoint::max();
};

}  // namespace sida::sim

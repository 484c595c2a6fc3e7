// A WorkerCore with a disk and a processor in virtual time, and one router that is greeted.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "expert-worker/core/worker_core.h"
#include "expert-worker/replay/replay.h"

namespace sida::worker::replay {

// One thread; everything happens inside its calls.
class SimulatedWorker {
 public:
  SimulatedWorker(const Routes& routes, const ReplayOptions& options);

  [[nodiscard]] TimePoint now() const { return now_; }
  // Lets time pass until then.
  void run_until(TimePoint time);
  // Until nothing is read or computed.
  void run_until_idle();

  void advise(const proto::Prefetch& advice, TimePoint arrives);
  void forget(SequenceId sequence);
  // Sends the rows and lets time pass until their answer. Returns what of that time was spent computing them.
  std::chrono::microseconds call(const LayerCall& call);

  [[nodiscard]] const WorkerCore& core() const { return core_; }
  [[nodiscard]] std::uint64_t pieces_read() const { return pieces_read_; }

 private:
  void at(TimePoint time, std::function<void()> run);
  bool run_next();
  void tick();
  void apply(const WorkerActions& actions);
  void begin_load(const LoadExpert& order);
  void read_on();
  void end_load(SlotId slot, const Result<void>& outcome);
  void compute(const ComputeGroups& work);

  const ReplayOptions options_;
  TimePoint now_{};
  WorkerCore core_;
  std::map<std::pair<TimePoint, std::uint64_t>, std::function<void()>> events_;
  std::uint64_t last_event_ = 0;
  std::uint64_t ticks_ = 0;  // Events that are ticks: they never end.
  struct Load {
    ExpertKey key;
    int pieces = 0;
  };
  LoadQueue disk_;
  std::map<SlotId, Load> loads_;
  bool reading_ = false;
  TimePoint compute_free_{};
  std::uint64_t pieces_read_ = 0;
  std::uint32_t part_ = 0;
  bool answered_ = false;
};

}  // namespace sida::worker::replay

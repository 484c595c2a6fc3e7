#include "expert-worker/replay/replay.h"

#include <algorithm>

#include "expert-worker/replay/simulated_worker.h"

namespace sida::worker::replay {
namespace {

using std::chrono::microseconds;

// Plays the router's part: runs the steps, and tells beforehand what it knows.
class Player {
 public:
  Player(const Routes& routes, const ReplayOptions& options)
      : routes_(routes), options_(options), worker_(routes, options) {
    worker_.run_until_idle();
    began_ = worker_.now();
    before_ = worker_.core().counters();
    pieces_before_ = worker_.pieces_read();
  }

  ReplayResult run() {
    for (std::size_t sequence = 0; sequence < routes_.sequences.size(); ++sequence) {
      const std::vector<Step>& steps = routes_.sequences[sequence];
      for (std::size_t step = 0; step < steps.size(); ++step) {
        tell(sequence, step);
        run_step(steps[step]);
        if (options_.knowledge == Knowledge::kOracle) worker_.forget(SequenceId{++step_done_});
      }
      if (options_.knowledge == Knowledge::kTable) worker_.forget(SequenceId{sequence});
    }
    return result();
  }

 private:
  void run_step(const Step& step) {
    for (const LayerCall& call : step.calls) {
      worker_.run_until(worker_.now() + options_.trunk_time);
      const TimePoint sent = worker_.now();
      const microseconds computed = worker_.call(call);
      ++result_.calls;
      const auto took = std::chrono::duration_cast<microseconds>(worker_.now() - sent);
      result_.waited += std::max(microseconds(0), took - computed);
    }
  }

  void tell(std::size_t sequence, std::size_t step) {
    if (options_.knowledge == Knowledge::kTable) {
      if (step > 0) {
        advise(SequenceId{sequence}, step, routes_.sequences[sequence][step], false, options_.hint_time);
      }
      const std::size_t end = std::min(routes_.sequences.size(), sequence + options_.sequences_ahead + 1);
      for (; told_ < end; ++told_) {
        const auto& steps = routes_.sequences[told_];
        if (!steps.empty()) advise(SequenceId{told_}, 0, steps.front(), false, options_.hint_time);
      }
    } else if (options_.knowledge == Knowledge::kOracle) {
      tell_oracle();
    }
  }

  // Every step is a sequence of its own, so that all of them are known together and in their order.
  void tell_oracle() {
    while (told_ <= step_done_ + options_.steps_ahead && oracle_sequence_ < routes_.sequences.size()) {
      const auto& steps = routes_.sequences[oracle_sequence_];
      if (oracle_step_ == steps.size()) {
        ++oracle_sequence_;
        oracle_step_ = 0;
        continue;
      }
      advise(SequenceId{++told_}, 0, steps[oracle_step_++], true, microseconds(0));
    }
  }

  void advise(SequenceId sequence, std::size_t number, const Step& step, bool truth, microseconds after) {
    proto::Prefetch advice{.sequence = sequence, .step = static_cast<std::uint32_t>(number), .items = {}};
    for (const LayerCall& call : step.calls) {
      for (const Need& need : truth ? call.needs : call.predicted) {
        advice.items.push_back({{call.layer, need.expert}, need.rows});
      }
    }
    worker_.advise(advice, worker_.now() + after);
  }

  ReplayResult result() {
    const WorkerCounters& after = worker_.core().counters();
    result_.experts_read = after.loads - before_.loads;
    result_.pieces_read = worker_.pieces_read() - pieces_before_;
    result_.hits = after.hits - before_.hits;
    result_.misses = after.misses - before_.misses;
    result_.prefetches = after.prefetches - before_.prefetches;
    result_.useful = after.prefetches_useful - before_.prefetches_useful;
    result_.late = after.prefetches_late - before_.prefetches_late;
    result_.wasted = after.prefetches_wasted - before_.prefetches_wasted;
    result_.cancelled = after.prefetches_cancelled - before_.prefetches_cancelled;
    result_.switches = worker_.core().admission().switches();
    result_.time = std::chrono::duration_cast<microseconds>(worker_.now() - began_);
    result_.reading = options_.read_time / options_.pieces * static_cast<std::int64_t>(result_.pieces_read);
    return result_;
  }

  const Routes& routes_;
  const ReplayOptions options_;
  SimulatedWorker worker_;
  TimePoint began_;
  WorkerCounters before_;
  std::uint64_t pieces_before_ = 0;
  std::size_t told_ = 0;         // kTable: sequences; kOracle: steps.
  std::uint64_t step_done_ = 0;  // kOracle.
  std::size_t oracle_sequence_ = 0;
  std::size_t oracle_step_ = 0;
  ReplayResult result_;
};

}  // namespace

ReplayResult replay(const Routes& routes, const ReplayOptions& options) {
  return Player(routes, options).run();
}

}  // namespace sida::worker::replay

// How many expert-workers the work that is queued would keep busy: what whoever starts and ends workers scales on. It
// counts the rows that admitted sequences will still have computed, as far as their lengths are known or foreseen, so
// it rises when work is admitted, and not only when it has waited. No I/O, no clock.
#pragma once

#include <cstdint>

#include "common/runtime/clock.h"

namespace sida::router {

// What one sequence still needs of experts. Each row is for one expert of one MoE layer.
struct RemainingWork {
  std::uint64_t source_tokens = 0;   // Not encoded yet.
  std::uint64_t target_tokens = 0;   // To be scored.
  std::uint64_t new_tokens_max = 0;  // That it may still generate.
  std::uint64_t new_tokens = 0;      // That it has generated.
};

// One thread.
class WorkerDemand {
 public:
  struct Layers {
    std::int32_t encoder = 0;  // MoE layers of each stack.
    std::int32_t decoder = 0;
  };
  // What is queued shall be done within `horizon`, once as many workers are there.
  explicit WorkerDemand(Layers layers, Duration horizon = std::chrono::seconds(20))
      : layers_(layers), horizon_(horizon) {}

  // A sequence has ended with so many new tokens; those that run are foreseen to be as long as most.
  void ended(std::uint64_t new_tokens);

  // `rows_served`: by all workers since their start, for whichever router; `workers`: how many serve. Called at any
  // interval. The best rate of a worker over a second counts as what one can do, and is forgotten slowly: between the
  // peaks workers do less for want of work.
  void served(std::uint64_t rows_served, std::size_t workers, TimePoint now);

  // Rows.
  [[nodiscard]] double rows_of(const RemainingWork& work) const;

  // Fractional, so that those of several routers add up; 0 without work. `announced`: rows a second that a worker says
  // it can do at least (proto::Capacity), for the time before any was seen to work.
  [[nodiscard]] double workers(double queued_rows, double announced) const;

 private:
  Layers layers_;
  Duration horizon_;
  double new_tokens_ = 0;  // Of a sequence, a moving mean; 0: none has ended.
  double peak_ = 0;        // Rows a second of one worker.
  bool began_ = false;
  std::uint64_t last_rows_ = 0;
  TimePoint last_{};
};

}  // namespace sida::router

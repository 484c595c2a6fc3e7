// Times subjects in turn, round after round, the limits beside them in every round.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/bench/kernel_subjects.h"
#include "cli/bench/memory_bandwidth.h"

namespace sida::bench {

// Of one subject at one number of rows: a value per round, in order.
struct Timings {
  std::string kernel;
  Layer layer = Layer::kLinear;
  DType dtype = DType::kFloat32;
  std::int64_t rows = 0;
  std::vector<double> seconds;           // Of one call, the mean of the round's calls.
  std::vector<double> bytes_per_second;  // That loads alone got, in the same round.
  std::vector<double> peak_flops;        // Of the registers, all threads together; empty where there is no loop.
};

struct RoundOptions {
  int rounds = 7;
  int threads = 1;  // One: CPU time. More: wall time.
  double seconds_per_subject = 0.02;
};

// Round by round: a pass over memory, then each subject's register peak and calls, in an order that rotates.
std::vector<Timings> time_in_rounds(const std::vector<Subject>& subjects, DType dtype, std::int64_t rows,
                                    const RoundOptions& options, MemoryBandwidth& memory);

}  // namespace sida::bench

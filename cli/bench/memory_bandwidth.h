// The limit of everything that reads weights: bytes per second that loads get out of memory.
#pragma once

#include <cstddef>
#include <memory>

#include "cli/bench/aligned_memory.h"
#include "cli/bench/stopwatch.h"
#include "common/runtime/fork_join.h"

namespace sida::bench {

// Load-only passes over memory far larger than the caches. One caller at a time.
class MemoryBandwidth {
 public:
  // Takes and fills `bytes`, split evenly over `threads`.
  MemoryBandwidth(std::size_t bytes, int threads);

  // Reads all of it by each of several loops (vector width, how far ahead they prefetch): bytes per second of the
  // quickest. By CPU time for one thread, else by wall time.
  double pass();

 private:
  AlignedMemory memory_;
  ForkJoin threads_;
};

}  // namespace sida::bench

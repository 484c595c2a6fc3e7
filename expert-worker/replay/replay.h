// One expert-worker under recorded routes, in virtual time: the real WorkerCore and LoadQueue with a simulated disk,
// processor and router. Sequences come one after another, and their layers too: nothing overlaps but reading and
// computing, as for a client that sends one request at a time.
#pragma once

#include <chrono>
#include <cstdint>

#include "expert-worker/core/worker_actions.h"
#include "expert-worker/replay/routes.h"

namespace sida::worker::replay {

// What the worker is told beforehand.
enum class Knowledge {
  kNothing,  // On demand.
  kTable,    // Of each step what is predicted, when it begins; and of waiting sequences the encoder's.
  kOracle,   // What the gates will decide in so many steps.
};

struct ReplayOptions {
  std::uint32_t slots = 2;  // At least one.
  Eviction eviction = Eviction::kTable;
  PrefetchMode prefetch = PrefetchMode::kAuto;
  Knowledge knowledge = Knowledge::kTable;
  std::size_t sequences_ahead = 0;  // kTable: waiting sequences that are predicted already.
  std::size_t steps_ahead = 200;    // kOracle.

  std::chrono::microseconds read_time{7000};    // Of one expert by itself.
  int pieces = 8;                               // In which it is read; between two of them another may go first.
  std::chrono::microseconds compute_time{300};  // Of one expert, whatever its rows: weights are what costs.
  std::chrono::microseconds trunk_time{1000};   // Before each call of a layer.
  std::chrono::microseconds hint_time{500};     // From the begin of a step until the worker has its advice.
};

struct ReplayResult {
  std::uint64_t calls = 0;         // Of layers.
  std::uint64_t experts_read = 0;  // To the end; times the bytes of one: bytes read.
  std::uint64_t pieces_read = 0;   // Also of reads that were stopped.
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::uint64_t prefetches = 0;
  std::uint64_t useful = 0;
  std::uint64_t late = 0;
  std::uint64_t wasted = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t switches = 0;         // Of prefetching, off and on again.
  std::chrono::microseconds time{0};  // Of all sequences.
  std::chrono::microseconds waited{
      0};  // Of it, for experts to be read: what the calls took without what they computed.
  std::chrono::microseconds reading{0};  // The disk was busy.
};

// The worker's memory is as after a start without requests: it holds what it reads for its own sake. That is not
// counted.
ReplayResult replay(const Routes& routes, const ReplayOptions& options);

}  // namespace sida::worker::replay

// One cluster from its start to its end: what `sida bench offload` asks it, and what it counts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "cli/bench/offload_samples.h"
#include "cli/bench/offload_texts.h"
#include "cli/cluster_options.h"
#include "common/base/result.h"

namespace sida::bench {

struct VisitOptions {
  std::int64_t requests = 8;  // Of each text and phase.
  std::int64_t warm_up = 2;   // Of each text, before anything is measured.
  std::int64_t parallel = 1;
  std::int64_t new_tokens = 16;  // Of the decoder; 0: no decode passes.
};

// Starts a cluster of `cluster` with nothing of the model in the page cache, waits until its workers have read what
// they keep for its own sake, warms it up, and runs every pass. All settings of a round read the same sources; no
// source is read twice in a visit as long as there are enough. `tell` is called after every answer. Blocks for all of
// it.
Result<Visit> visit(const Setting& setting, int round, const cli::ClusterOptions& cluster,
                    const std::vector<TextKind>& texts, const VisitOptions& options, const std::function<void()>& tell);

// Answers that one visit takes of each kind of text.
std::uint64_t answers_per_kind(const VisitOptions& options);

}  // namespace sida::bench

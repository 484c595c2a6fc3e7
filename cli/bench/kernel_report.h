// What the timings of `sida bench kernel` say: rows of figures beside their limits, as JSON and Markdown. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/bench/kernel_rounds.h"

namespace sida::bench {

// Of the whole run.
struct KernelRun {
  int threads = 1;
  int rounds = 0;
  std::vector<Timings> timings;
};

// `rows[]` of `{kernel, layer, dtype, rows, microseconds, microseconds_min, microseconds_max, gb_per_s,
// memory_gb_per_s, share, share_of_round, gflop_per_s, peak_gflop_per_s, peak_share, speedup_over_linear,
// speedup_over_onednn}`. Times are medians of rounds. `memory_gb_per_s` is the best load-only pass at this number of
// rows, `share` is of it, `share_of_round` the median of the shares of the pass in the same round. Speed-ups are
// medians of the ratios round by round, over the same layer by the library; null for a peak that was not measured.
nlohmann::json kernel_json(const KernelRun& run);

// A table per dtype and layer, kernels side by side.
std::string kernel_markdown(const nlohmann::json& report);

}  // namespace sida::bench

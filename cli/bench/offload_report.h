// What the visits of `sida bench offload` say, as JSON and Markdown. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/bench/offload_samples.h"

namespace sida::bench {

// `limits.{disk_gb_per_s, disk_one_reader_gb_per_s, memory_gb_per_s}`, medians of rounds.
// `points[]`, one per text, phase, policy and budget: `{model, text, phase, policy, budget_share, budget_bytes, unit,
// throughput, throughput_min, throughput_max, latency_ms: {p50, p95, p99}, items, bytes_read, bytes_waited, hits,
// misses, useful, late, wasted, first_answer_ms, peak_bytes, read_gb_per_s, disk_share, memory_share, limit_share,
// over_demand, of_resident, bound_share}`. Throughput is in units (sources, tokens) per second, median of rounds;
// latencies are over all rounds, counts of all rounds together; of a decode pass, bytes read are attributed to its
// decoder steps by their share of the misses, which is exact where nothing is read ahead.
// - memory_share: the time to read all touched weights once from memory, over the time taken; of single requests only.
// - limit_share: the larger of computing (as resident) and reading what was read at the disk's rate, over the time
//   taken. 1: the two overlap perfectly.
// - over_demand, of_resident: medians of the ratios of throughput, round by round.
// - bound_share: over_demand over 1 + min(r, 1/r).
// `overlap[]` of `{text, phase, compute_ms, read_ms, r, bound}`: what an item takes to compute when all is resident, to
// read on demand at the disk's rate, r their ratio (reading over computing), and the most that overlapping the two can
// give over one after the other.
// `memory[]` of `{text, sources, tokens, experts, bytes, saved_percent, saved_percent_min}`: what a source needs of the
// encoder's experts, means, and what is saved against all of them, as SiDA-MoE counts (Du et al. 2024).
// What cannot be told (no resident figure, say) is null.
nlohmann::json offload_json(const OffloadRun& run);

std::string offload_markdown(const nlohmann::json& report);

}  // namespace sida::bench

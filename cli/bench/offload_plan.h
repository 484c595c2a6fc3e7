// Which clusters `sida bench offload` compares. Pure.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "cli/bench/offload_samples.h"
#include "cli/cluster_options.h"

namespace sida::bench {

// In the order of the tables.
inline constexpr std::array<std::string_view, 7> kPolicies{
    "resident",            // All experts in memory.
    "demand",              // The least memory that a worker takes: hardly anything is there when it is needed again.
    "fifo",        "lru",  // Evict so; nothing is predicted.
    "table-alone",         // Evicts as `table`, without a hash table: by frequency.
    "table",               // With the predictor, where there is one.
    "oracle"};             // As `table`, with the routes recorded before in place of predictions.

// "resident,lru,table" as a list. Appends a sentence per name that is none of kPolicies.
std::vector<std::string> parse_policies(const std::string& text, std::vector<std::string>& problems);

// Every policy with every budget, budgets in percent; `resident` and `demand` once, since they know no budget. A
// budget below the least that the workers take becomes that; what becomes equal is there once. Ordered by budget.
std::vector<Setting> plan_settings(const std::vector<std::string>& policies,
                                   const std::vector<std::int32_t>& budgets_percent, const OffloadModel& model);

// The order of a round: another one each time, so that none always comes first or behind the same other.
std::vector<Setting> in_round(std::vector<Setting> settings, int round);

// `base` with the setting's memory, eviction, predictor and prefetching. `oracle`: a predictor directory.
cli::ClusterOptions cluster_of(const Setting& setting, cli::ClusterOptions base, const std::string& oracle);

}  // namespace sida::bench

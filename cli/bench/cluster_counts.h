// What a router's /status says of a cluster's experts, so that two of them tell what happened between. Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/bench/offload_samples.h"

namespace sida::bench {

struct ClusterCounts {
  Counts all;                             // Of all workers, since they started.
  std::vector<std::uint64_t> layer_hits;  // By MoE layer, as the router counts.
  std::vector<std::uint64_t> layer_misses;
  std::size_t encoder_layers = 0;  // So many of the layers are the encoder's; they come first.
  std::uint64_t rows_sent = 0;     // By the router.
  std::uint64_t rows_served = 0;   // As workers have told so far; theirs is the older news.
};

// Everything that is not there counts as 0.
ClusterCounts cluster_counts(const nlohmann::json& status);

// What happened from `before` to `after`. kDecode: hits and misses are of the decoder's layers, and bytes are
// attributed to them by their share of the misses; what was read ahead counts whole, since nobody tells for which layer
// it was.
Counts counts_between(const ClusterCounts& before, const ClusterCounts& after, Phase phase);

}  // namespace sida::bench

#include "cli/bench/cluster_counts.h"

#include <cmath>

namespace sida::bench {
namespace {

using nlohmann::json;

std::uint64_t count(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

json child(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() ? *found : json();
}

// Counters of a worker that was started again begin anew.
std::uint64_t since(std::uint64_t before, std::uint64_t after) {
  return after >= before ? after - before : after;
}

std::uint64_t sum_since(const std::vector<std::uint64_t>& before, const std::vector<std::uint64_t>& after,
                        std::size_t first) {
  std::uint64_t sum = 0;
  for (std::size_t layer = first; layer < after.size(); ++layer) {
    sum += since(layer < before.size() ? before[layer] : 0, after[layer]);
  }
  return sum;
}

std::uint64_t scaled(std::uint64_t bytes, double share) {
  return static_cast<std::uint64_t>(std::llround(static_cast<double>(bytes) * share));
}

}  // namespace

ClusterCounts cluster_counts(const json& status) {
  ClusterCounts counts;
  for (const json& worker : child(status, "workers")) {
    counts.all.bytes_read += count(worker, "bytes_read");
    counts.all.bytes_waited += count(worker, "bytes_waited");
    counts.rows_served += count(worker, "rows_served");
    const json prefetches = child(worker, "prefetches");
    if (!prefetches.is_object()) continue;
    counts.all.useful += count(prefetches, "useful");
    counts.all.late += count(prefetches, "late");
    counts.all.wasted += count(prefetches, "wasted");
  }
  for (const json& layer : child(status, "agreement_by_layer")) {
    counts.layer_hits.push_back(count(layer, "hits"));
    counts.layer_misses.push_back(count(layer, "misses"));
  }
  if (status.is_object()) counts.rows_sent = count(status, "dispatched_rows");
  const json model = child(status, "model");
  if (model.is_object()) counts.encoder_layers = count(model, "encoder_moe_layers");
  return counts;
}

Counts counts_between(const ClusterCounts& before, const ClusterCounts& after, Phase phase) {
  const std::size_t first = phase == Phase::kDecode ? after.encoder_layers : 0;
  Counts counts;
  counts.hits = sum_since(before.layer_hits, after.layer_hits, first);
  counts.misses = sum_since(before.layer_misses, after.layer_misses, first);
  const std::uint64_t all_misses = sum_since(before.layer_misses, after.layer_misses, 0);
  double share = 1;
  if (phase == Phase::kDecode) {
    share = all_misses > 0 ? static_cast<double>(counts.misses) / static_cast<double>(all_misses) : 0;
  }
  counts.bytes_read = scaled(since(before.all.bytes_read, after.all.bytes_read), share);
  counts.bytes_waited = scaled(since(before.all.bytes_waited, after.all.bytes_waited), share);
  counts.useful = since(before.all.useful, after.all.useful);
  counts.late = since(before.all.late, after.all.late);
  counts.wasted = since(before.all.wasted, after.all.wasted);
  return counts;
}

}  // namespace sida::bench

#include "cli/bench/offload_report.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <tuple>

#include "cli/statistics.h"

namespace sida::bench {
namespace {

using cli::median;
using cli::percentile;
using cli::rounded;
using nlohmann::json;

// All rounds of one line of the table.
struct Series {
  std::string text;
  Phase phase = Phase::kEncode;
  Setting setting;
  std::map<int, double> throughput;  // By round.
  std::vector<double> latencies;
  std::vector<double> first_answers;
  double items = 0;
  double seconds = 0;
  Counts counts;
  std::uint64_t peak_bytes = 0;

  [[nodiscard]] double per_item(std::uint64_t amount) const {
    return items > 0 ? static_cast<double>(amount) / items : 0;
  }
  [[nodiscard]] double median_throughput() const {
    std::vector<double> values;
    for (const auto& [round, value] : throughput) values.push_back(value);
    return median(std::move(values));
  }
  [[nodiscard]] double item_seconds() const {
    const double rate = median_throughput();
    return rate > 0 ? 1 / rate : 0;
  }
};

// Of one text and phase: what others are compared with.
struct Reference {
  const Series* resident = nullptr;
  const Series* demand = nullptr;
  std::optional<double> compute_seconds;  // Of an item, everything resident.
  std::optional<double> read_seconds;     // Of an item, on demand, at the disk's rate.
  std::optional<double> r;
  std::optional<double> bound;
};

struct MedianLimits {
  double memory = 0;
  double disk = 0;
  double disk_one_reader = 0;
};

json number(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? json(rounded(*value)) : json();
}

std::optional<double> ratio(double part, double whole) {
  return whole > 0 ? std::optional(part / whole) : std::nullopt;
}

const char* name(Phase phase) {
  return phase == Phase::kEncode ? "encode" : "decode";
}

void add(Counts& to, const Counts& more) {
  to.hits += more.hits;
  to.misses += more.misses;
  to.bytes_read += more.bytes_read;
  to.bytes_waited += more.bytes_waited;
  to.useful += more.useful;
  to.late += more.late;
  to.wasted += more.wasted;
}

// In the order in which they were first measured, texts and phases together.
std::vector<Series> series_of(const OffloadRun& run) {
  std::vector<Series> all;
  for (const Visit& visit : run.visits) {
    for (const Pass& pass : visit.passes) {
      auto found = std::ranges::find_if(all, [&](const Series& one) {
        return one.text == pass.text && one.phase == pass.phase && one.setting == visit.setting;
      });
      if (found == all.end()) {
        all.push_back({.text = pass.text, .phase = pass.phase, .setting = visit.setting});
        found = all.end() - 1;
      }
      if (pass.seconds > 0) found->throughput[visit.round] = pass.items / pass.seconds;
      found->latencies.insert(found->latencies.end(), pass.latencies.begin(), pass.latencies.end());
      found->first_answers.push_back(visit.first_answer_seconds);
      found->items += pass.items;
      found->seconds += pass.seconds;
      add(found->counts, pass.counts);
      found->peak_bytes = std::max(found->peak_bytes, visit.peak_bytes);
    }
  }
  return all;
}

MedianLimits median_limits(const OffloadRun& run) {
  const auto of = [&run](double Limits::*member) {
    std::vector<double> values;
    for (const Limits& limits : run.limits) values.push_back(limits.*member);
    return median(std::move(values));
  };
  return {of(&Limits::memory), of(&Limits::disk), of(&Limits::disk_one_reader)};
}

using ReferenceKey = std::pair<std::string, Phase>;

std::map<ReferenceKey, Reference> references_of(const std::vector<Series>& all, const MedianLimits& limits) {
  std::map<ReferenceKey, Reference> references;
  for (const Series& series : all) {
    Reference& reference = references[{series.text, series.phase}];
    if (series.setting.policy == "resident") reference.resident = &series;
    if (series.setting.policy == "demand") reference.demand = &series;
  }
  for (auto& [key, reference] : references) {
    if (reference.resident != nullptr) reference.compute_seconds = reference.resident->item_seconds();
    if (reference.demand != nullptr) {
      reference.read_seconds = ratio(reference.demand->per_item(reference.demand->counts.bytes_read), limits.disk);
    }
    if (reference.read_seconds && reference.compute_seconds) {
      reference.r = ratio(*reference.read_seconds, *reference.compute_seconds);
    }
    if (reference.r && *reference.r > 0) reference.bound = 1 + std::min(*reference.r, 1 / *reference.r);
  }
  return references;
}

// Median of the ratios of throughput, over the rounds that both have.
std::optional<double> over(const Series& series, const Series* other) {
  if (other == nullptr) return std::nullopt;
  std::vector<double> ratios;
  for (const auto& [round, value] : series.throughput) {
    const auto found = other->throughput.find(round);
    if (found != other->throughput.end() && found->second > 0) ratios.push_back(value / found->second);
  }
  return ratios.empty() ? std::nullopt : std::optional(median(std::move(ratios)));
}

// How much of the time reading all touched weights once from memory would take.
std::optional<double> memory_share(const OffloadRun& run, const Series& series, double bytes_per_second) {
  if (run.parallel != 1 || bytes_per_second <= 0 || series.items <= 0) return std::nullopt;
  const OffloadModel& model = run.model;
  const double trunk = static_cast<double>(model.decoder_trunk_bytes) +
                       (series.phase == Phase::kEncode ? static_cast<double>(model.encoder_trunk_bytes) : 0.0);
  const double experts =
      series.per_item(series.counts.hits + series.counts.misses) * static_cast<double>(model.expert_bytes);
  return ratio((trunk + experts) / bytes_per_second, series.item_seconds());
}

std::optional<double> limit_share(const Series& series, const Reference& reference, double disk_bytes_per_second) {
  const auto reading = ratio(series.per_item(series.counts.bytes_read), disk_bytes_per_second);
  if (!reading || !reference.compute_seconds) return std::nullopt;
  return ratio(std::max(*reading, *reference.compute_seconds), series.item_seconds());
}

json point(const OffloadRun& run, const Series& series, const Reference& reference, const MedianLimits& limits) {
  const auto [least, most] = std::ranges::minmax_element(series.throughput, {}, [](const auto& e) { return e.second; });
  const bool any = !series.throughput.empty();
  const Counts& counts = series.counts;
  const auto reading = ratio(static_cast<double>(counts.bytes_read), series.seconds);
  const auto over_demand = over(series, reference.demand);
  const auto bound_share = over_demand && reference.bound ? ratio(*over_demand, *reference.bound) : std::nullopt;
  return {{"model", run.model.name},
          {"text", series.text},
          {"phase", name(series.phase)},
          {"policy", series.setting.policy},
          {"budget_share", rounded(series.setting.share)},
          {"budget_bytes", series.setting.bytes},
          {"unit", series.phase == Phase::kEncode ? "sources" : "tokens"},
          {"throughput", rounded(series.median_throughput())},
          {"throughput_min", any ? json(rounded(least->second)) : json()},
          {"throughput_max", any ? json(rounded(most->second)) : json()},
          {"latency_ms",
           {{"p50", rounded(1e3 * percentile(series.latencies, 50))},
            {"p95", rounded(1e3 * percentile(series.latencies, 95))},
            {"p99", rounded(1e3 * percentile(series.latencies, 99))}}},
          {"items", series.items},
          {"bytes_read", counts.bytes_read},
          {"bytes_waited", counts.bytes_waited},
          {"hits", counts.hits},
          {"misses", counts.misses},
          {"useful", counts.useful},
          {"late", counts.late},
          {"wasted", counts.wasted},
          {"first_answer_ms", rounded(1e3 * median(series.first_answers))},
          {"peak_bytes", series.peak_bytes},
          {"read_gb_per_s", reading ? number(*reading / 1e9) : json()},
          {"disk_share", reading ? number(ratio(*reading, limits.disk)) : json()},
          {"memory_share", number(memory_share(run, series, limits.memory))},
          {"limit_share", number(limit_share(series, reference, limits.disk))},
          {"over_demand", number(over_demand)},
          {"of_resident", number(over(series, reference.resident))},
          {"bound_share", number(bound_share)}};
}

json needs_json(const OffloadRun& run) {
  json list = json::array();
  const auto all = static_cast<double>(run.model.experts_per_layer * run.model.encoder_moe_layers);
  for (const Needs& needs : run.needs) {
    if (needs.encoder_experts.empty() || all == 0) continue;
    const auto mean = [](const std::vector<double>& values) {
      double sum = 0;
      for (const double value : values) sum += value;
      return sum / static_cast<double>(values.size());
    };
    const double experts = mean(needs.encoder_experts);
    list.push_back({{"text", needs.text},
                    {"sources", needs.encoder_experts.size()},
                    {"tokens", rounded(mean(needs.tokens))},
                    {"experts", rounded(experts)},
                    {"experts_of", all},
                    {"bytes", std::round(experts * static_cast<double>(run.model.expert_bytes))},
                    {"saved_percent", rounded(100 * (1 - experts / all))},
                    {"saved_percent_min", rounded(100 * (1 - std::ranges::max(needs.encoder_experts) / all))}});
  }
  return list;
}

json overlap_json(const std::map<ReferenceKey, Reference>& references) {
  json list = json::array();
  const auto ms = [](const std::optional<double>& seconds) { return seconds ? number(1e3 * *seconds) : json(); };
  for (const auto& [key, reference] : references) {
    list.push_back({{"text", key.first},
                    {"phase", name(key.second)},
                    {"compute_ms", ms(reference.compute_seconds)},
                    {"read_ms", ms(reference.read_seconds)},
                    {"r", number(reference.r)},
                    {"bound", number(reference.bound)}});
  }
  return list;
}

json model_json(const OffloadModel& model) {
  return {{"name", model.name},
          {"dtype", model.dtype},
          {"experts_per_layer", model.experts_per_layer},
          {"encoder_moe_layers", model.encoder_moe_layers},
          {"decoder_moe_layers", model.decoder_moe_layers},
          {"expert_bytes", model.expert_bytes},
          {"experts_bytes", model.experts_bytes()},
          {"memory_bytes_min", model.memory_bytes_min}};
}

}  // namespace

json offload_json(const OffloadRun& run) {
  const MedianLimits limits = median_limits(run);
  const std::vector<Series> all = series_of(run);
  const auto references = references_of(all, limits);
  json points = json::array();
  for (const Series& series : all) {
    points.push_back(point(run, series, references.at({series.text, series.phase}), limits));
  }
  return {{"model", model_json(run.model)},
          {"predictor", run.predictor.empty() ? json() : json(run.predictor)},
          {"workers", run.workers},
          {"parallel", run.parallel},
          {"new_tokens", run.new_tokens},
          {"rounds", run.rounds},
          {"read_method", run.read_method},
          {"limits",
           {{"disk_gb_per_s", rounded(limits.disk / 1e9)},
            {"disk_one_reader_gb_per_s", rounded(limits.disk_one_reader / 1e9)},
            {"memory_gb_per_s", rounded(limits.memory / 1e9)}}},
          {"points", std::move(points)},
          {"overlap", overlap_json(references)},
          {"memory", needs_json(run)},
          {"notes", run.notes}};
}

}  // namespace sida::bench

#include "cli/bench/kernel_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cli/statistics.h"

namespace sida::bench {
namespace {

using cli::median;
using cli::rounded;
using nlohmann::json;

double largest(const std::vector<double>& values) {
  return *std::max_element(values.begin(), values.end());
}

// Median over rounds of a / b.
double median_ratio(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> ratios;
  for (std::size_t round = 0; round < a.size(); ++round) ratios.push_back(a[round] / b[round]);
  return median(std::move(ratios));
}

// How much longer the library takes, in the same rounds.
json speedup(const KernelRun& run, const Timings& one, const std::string& library) {
  const std::string wanted = one.layer == Layer::kExpert ? library + " expert" : library;
  for (const Timings& other : run.timings) {
    if (other.kernel == wanted && other.dtype == one.dtype && other.rows == one.rows) {
      return rounded(median_ratio(other.seconds, one.seconds));
    }
  }
  return nullptr;
}

json row_json(const KernelRun& run, const Timings& t) {
  const double seconds = median(t.seconds);
  const auto bytes = static_cast<double>(weight_bytes(t.layer, t.dtype));
  const double flops = static_cast<double>(operations(t.layer, t.rows)) / seconds;
  const double memory = largest(t.bytes_per_second);
  std::vector<double> rates;
  for (const double each : t.seconds) rates.push_back(bytes / each);
  const bool has_peak = !t.peak_flops.empty();
  return {{"kernel", t.kernel},
          {"layer", t.layer == Layer::kExpert ? "expert" : "linear"},
          {"dtype", std::string(name(t.dtype))},
          {"rows", t.rows},
          {"microseconds", rounded(1e6 * seconds)},
          {"microseconds_min", rounded(1e6 * *std::min_element(t.seconds.begin(), t.seconds.end()))},
          {"microseconds_max", rounded(1e6 * largest(t.seconds))},
          {"gb_per_s", rounded(1e-9 * bytes / seconds)},
          {"memory_gb_per_s", rounded(1e-9 * memory)},
          {"share", rounded(bytes / seconds / memory)},
          {"share_of_round", rounded(median_ratio(rates, t.bytes_per_second))},
          {"gflop_per_s", rounded(1e-9 * flops)},
          {"peak_gflop_per_s", has_peak ? json(rounded(1e-9 * largest(t.peak_flops))) : json()},
          {"peak_share", has_peak ? json(rounded(flops / largest(t.peak_flops))) : json()},
          {"speedup_over_linear", speedup(run, t, "at::linear")},
          {"speedup_over_onednn", speedup(run, t, "onednn")}};
}

std::string formatted(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string optional_number(const json& value, const char* format, double scale) {
  return value.is_number() ? formatted(format, scale * value.get<double>()) : "";
}

std::string line(const json& row) {
  const auto number = [&](const char* key) { return row.at(key).get<double>(); };
  return "| " + row.at("kernel").get<std::string>() + " | " + std::to_string(row.at("rows").get<std::int64_t>()) +
         " | " + formatted("%.0f", number("microseconds")) + " | " + formatted("%.0f to ", number("microseconds_min")) +
         formatted("%.0f", number("microseconds_max")) + " | " + formatted("%.1f", number("gb_per_s")) + " | " +
         formatted("%.1f", number("memory_gb_per_s")) + " | " + formatted("%.0f %%", 100 * number("share")) + " | " +
         formatted("%.0f", number("gflop_per_s")) + " | " + optional_number(row.at("peak_share"), "%.0f %%", 100) +
         " | " + optional_number(row.at("speedup_over_linear"), "%.2f", 1) + " | " +
         optional_number(row.at("speedup_over_onednn"), "%.2f", 1) + " |\n";
}

}  // namespace

json kernel_json(const KernelRun& run) {
  json rows = json::array();
  for (const Timings& timings : run.timings) rows.push_back(row_json(run, timings));
  return {{"threads", run.threads}, {"rounds", run.rounds}, {"rows", std::move(rows)}};
}

std::string kernel_markdown(const json& report) {
  std::string text =
      "| kernel | rows | µs | range | GB/s | loads alone | share | GFLOP/s | of register peak | over at::linear "
      "| over oneDNN |\n| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |\n";
  std::string tables;
  std::string dtype;
  for (const json& row : report.at("rows")) {
    if (row.at("dtype") != dtype) {
      dtype = row.at("dtype").get<std::string>();
      tables += "\n## " + dtype + ", threads: " + std::to_string(report.at("threads").get<int>()) + "\n\n" + text;
    }
    tables += line(row);
  }
  return tables;
}

}  // namespace sida::bench

// The tables of offload_report.h.
#include <algorithm>
#include <cstdio>
#include <vector>

#include "cli/bench/offload_plan.h"
#include "cli/bench/offload_report.h"

namespace sida::bench {
namespace {

using nlohmann::json;

std::string formatted(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string cell(const json& value, const char* format, double factor = 1) {
  return value.is_number() ? formatted(format, factor * value.get<double>()) : "-";
}

std::string percent(const json& share) {
  return cell(share, "%.0f %%", 100);
}

std::string gib(const json& bytes) {
  return cell(bytes, "%.2f GiB", 1.0 / (1U << 30U));
}

double per_item(const json& point, const char* key) {
  const double items = point.at("items").get<double>();
  return items > 0 ? point.at(key).get<double>() / items : 0;
}

std::string hit_rate(const json& point) {
  const double hits = point.at("hits").get<double>();
  const double asked = hits + point.at("misses").get<double>();
  return asked > 0 ? formatted("%.0f %%", 100 * hits / asked) : "-";
}

std::string line(const std::vector<std::string>& cells) {
  std::string text = "|";
  for (const std::string& one : cells) text += " " + one + " |";
  return text + "\n";
}

std::string point_line(const json& point) {
  const json& latency = point.at("latency_ms");
  const auto fate = [&](const char* key) { return std::to_string(point.at(key).get<std::uint64_t>()); };
  return line({point.at("policy").get<std::string>(), percent(point.at("budget_share")),
               cell(point.at("throughput"), "%.2f") + " (" + cell(point.at("throughput_min"), "%.2f") + " to " +
                   cell(point.at("throughput_max"), "%.2f") + ")",
               cell(latency.at("p50"), "%.1f"), cell(latency.at("p95"), "%.1f"), cell(latency.at("p99"), "%.1f"),
               cell(point.at("over_demand"), "%.2f"), percent(point.at("of_resident")),
               formatted("%.1f", 1e-6 * per_item(point, "bytes_read")),
               formatted("%.1f", 1e-6 * per_item(point, "bytes_waited")), hit_rate(point),
               fate("useful") + " / " + fate("late") + " / " + fate("wasted"), percent(point.at("disk_share")),
               percent(point.at("memory_share")), percent(point.at("limit_share")), gib(point.at("peak_bytes"))});
}

const json* overlap_of(const json& report, const json& text, const json& phase) {
  for (const json& one : report.at("overlap")) {
    if (one.at("text") == text && one.at("phase") == phase) return &one;
  }
  return nullptr;
}

std::string overlap_sentence(const json& overlap) {
  if (overlap.at("bound").is_null()) return "";
  return "Computing with everything resident takes " + cell(overlap.at("compute_ms"), "%.1f ms") +
         ", reading on demand at the disk's rate " + cell(overlap.at("read_ms"), "%.1f ms") +
         ": r = " + cell(overlap.at("r"), "%.2f") + ", and overlapping them can give at most " +
         cell(overlap.at("bound"), "%.2f") + " times on demand.\n";
}

std::size_t rank(const json& policy) {
  return static_cast<std::size_t>(std::ranges::find(kPolicies, policy.get<std::string>()) - kPolicies.begin());
}

// One table per text and phase, in the order of the points; within it by budget, then by policy.
std::string tables(const json& report) {
  std::vector<std::pair<json, json>> done;
  std::string text;
  for (const json& first : report.at("points")) {
    const std::pair<json, json> key{first.at("text"), first.at("phase")};
    if (std::ranges::find(done, key) != done.end()) continue;
    done.push_back(key);
    std::vector<const json*> points;
    for (const json& point : report.at("points")) {
      if (point.at("text") == key.first && point.at("phase") == key.second) points.push_back(&point);
    }
    std::ranges::stable_sort(points, [](const json* a, const json* b) {
      return std::pair(a->at("budget_share").get<double>(), rank(a->at("policy"))) <
             std::pair(b->at("budget_share").get<double>(), rank(b->at("policy")));
    });
    const auto unit = first.at("unit").get<std::string>();
    text += "\n## " + key.first.get<std::string>() + ", " + key.second.get<std::string>() + "\n\n";
    if (const json* overlap = overlap_of(report, key.first, key.second)) {
      const std::string sentence = overlap_sentence(*overlap);
      if (!sentence.empty()) text += sentence + "\n";
    }
    text += line({"policy", "budget", unit + "/s", "p50, ms", "p95", "p99", "over on demand", "of resident",
                  "read, MB each", "waited for", "hits", "read ahead: useful / late / wasted", "of the disk",
                  "of memory", "of the limit", "peak"});
    text += "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |\n";
    for (const json* point : points) text += point_line(*point);
  }
  return text;
}

std::string memory_table(const json& report) {
  if (report.at("memory").empty()) return "";
  std::string text =
      "\n## Memory that a source needs\n\n" +
      line({"text", "sources", "tokens", "experts of the encoder", "of", "GB", "saved", "saved at least"}) +
      "| --- | --: | --: | --: | --: | --: | --: | --: |\n";
  for (const json& one : report.at("memory")) {
    text += line({one.at("text").get<std::string>(), std::to_string(one.at("sources").get<std::int64_t>()),
                  cell(one.at("tokens"), "%.1f"), cell(one.at("experts"), "%.1f"), cell(one.at("experts_of"), "%.0f"),
                  cell(one.at("bytes"), "%.3f", 1e-9), cell(one.at("saved_percent"), "%.1f %%"),
                  cell(one.at("saved_percent_min"), "%.1f %%")});
  }
  return text;
}

}  // namespace

std::string offload_markdown(const json& report) {
  const json& model = report.at("model");
  const json& limits = report.at("limits");
  std::string text =
      "# " + model.at("name").get<std::string>() + ", " + model.at("dtype").get<std::string>() + "\n\n" +
      "Experts: " + gib(model.at("experts_bytes")) + " in all, " + cell(model.at("expert_bytes"), "%.2f MB", 1e-6) +
      " each; " + report.at("workers").dump() + " workers, " + report.at("parallel").dump() + " requests at a time, " +
      report.at("rounds").dump() +
      " rounds; predictor: " + (report.at("predictor").is_null() ? "none" : report.at("predictor").get<std::string>()) +
      ".\n" + "Limits of this run: disk " + cell(limits.at("disk_gb_per_s"), "%.2f GB/s") + " (" +
      report.at("read_method").get<std::string>() + " reads; one reader " +
      cell(limits.at("disk_one_reader_gb_per_s"), "%.2f GB/s") + "), memory " +
      cell(limits.at("memory_gb_per_s"), "%.1f GB/s") + ".\n";
  for (const json& note : report.at("notes")) text += note.get<std::string>() + "\n";
  return text + tables(report) + memory_table(report);
}

}  // namespace sida::bench

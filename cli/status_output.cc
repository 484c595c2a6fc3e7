#include "cli/status_output.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "common/config/quantity.h"

namespace sida::cli {
namespace {

using Row = std::vector<std::string>;

std::string table(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const Row& row : rows) {
    for (std::size_t column = 0; column < row.size(); ++column) {
      widths[column] = std::max(widths[column], row[column].size());
    }
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t column = 0; column < row.size(); ++column) {
      line += row[column] + std::string(widths[column] - row[column].size() + 2, ' ');
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string field(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) {
    return "-";
  }
  return found->is_string() ? found->get<std::string>() : found->dump();
}

std::string megabytes(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_unsigned()) {
    return "-";
  }
  return std::to_string(found->get<std::uint64_t>() / (1U << 20U)) + " MiB";
}

std::string percent(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number()) {
    return "-";
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * found->get<double>());
  return text;
}

std::string decimal(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number()) {
    return "-";
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", found->get<double>());
  return text;
}

const nlohmann::json& list(const nlohmann::json& status, const char* name) {
  static const nlohmann::json kEmpty = nlohmann::json::array();
  const auto found = status.find(name);
  return found == status.end() || !found->is_array() ? kEmpty : *found;
}

std::string reads_ahead(const nlohmann::json& worker) {
  const auto prefetches = worker.find("prefetches");
  if (prefetches == worker.end() || !prefetches->is_object()) return "-";
  return field(*prefetches, "read") + (prefetches->value("on", true) ? "" : " (off)");
}

}  // namespace

std::string status_text(const nlohmann::json& status) {
  std::vector<Row> processes{{"PROCESS", "ROLE", "STATE", "PID", "ADDRESS", "DETAIL"}};
  for (const auto& process : list(status, "processes")) {
    const std::string detail = field(process, "detail");
    processes.push_back({field(process, "name"), field(process, "role"), field(process, "state"), field(process, "pid"),
                         field(process, "address"), detail == "-" ? "" : detail});
  }
  std::vector<Row> workers{
      {"WORKER", "EXPERTS", "MEMORY", "BUDGET", "ROWS", "HIT RATE", "READS AHEAD", "KERNEL", "CHANNEL"}};
  for (const auto& worker : list(status, "workers")) {
    workers.push_back({field(worker, "name"), field(worker, "experts_resident"), megabytes(worker, "memory_bytes"),
                       megabytes(worker, "memory_budget_bytes"), field(worker, "rows_served"),
                       percent(worker, "hit_rate"), reads_ahead(worker), field(worker, "kernel"),
                       field(worker, "channel")});
  }
  std::vector<Row> predictors{
      {"PREDICTOR", "KIND", "SEQUENCES", "SOURCES", "US EACH", "STEPS", "US EACH", "OF A CORE", "EXPIRED", "DROPPED"}};
  for (const auto& predictor : list(status, "predictors")) {
    predictors.push_back({field(predictor, "name"), field(predictor, "kind"), field(predictor, "sequences"),
                          field(predictor, "sources"), decimal(predictor, "us_per_source"), field(predictor, "steps"),
                          decimal(predictor, "us_per_step"), percent(predictor, "core_share"),
                          field(predictor, "expired"), field(predictor, "dropped")});
  }
  std::vector<Row> layers{{"MOE LAYER", "ROUTED", "AGREEMENT", "BY TABLE", "LATE", "LEAD MS (1 %, HALF)"}};
  for (const auto& layer : list(status, "agreement_by_layer")) {
    const auto lead = layer.find("lead_ms");
    const bool known = lead != layer.end() && lead->is_object();
    layers.push_back({field(layer, "layer"), field(layer, "routed"), percent(layer, "agreement"),
                      field(layer, "by_table"), field(layer, "late"),
                      known ? field(*lead, "p1") + ", " + field(*lead, "p50") : "-"});
  }
  const auto encoder = status.value("encoder", nlohmann::json::object());
  const auto requests = status.value("requests", nlohmann::json::object());
  return table(processes) + "\n" + table(workers) + "\n" + table(predictors) + "\n" + table(layers) + "\nready " +
         field(status, "ready") + ", running " + field(requests, "running") + ", waiting " +
         field(requests, "waiting") + ", finished " + field(requests, "finished") + ", failed " +
         field(requests, "failed") + ", agreement with the gate " + percent(status, "agreement") +
         ", expert hit rate " + percent(status, "hit_rate") + ", encoder: " + decimal(encoder, "sources_per_step") +
         " sources a step, " + decimal(encoder, "experts_per_source") + " experts a source\n";
}

}  // namespace sida::cli

#include "cli/evaluation/report_tables.h"

#include <array>
#include <cstdio>

namespace sida::cli {
namespace {

using nlohmann::json;
using Row = std::vector<std::string>;

std::string fixed(const json& value, int digits, const char* unit = "") {
  if (!value.is_number()) return "-";
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f%s", digits, value.get<double>(), unit);
  return text.data();
}

std::string bytes_text(const json& value) {
  const double bytes = value.is_number() ? value.get<double>() : 0;
  if (bytes == 0) return "-";
  return bytes < 1e5 ? fixed(bytes / 1e3, 1, " KB") : fixed(bytes / 1e6, 2, " MB");
}

std::string trained_text(const json& training) {
  if (!training.is_object() || !training.contains("seconds")) return "-";
  return fixed(training["seconds"].is_number() ? json(training["seconds"].get<double>() / 60) : json(), 1, " min");
}

void add_shares(Row& row, const json& recall) {
  for (const char* key : {"top1", "top3", "gate_mass"}) row.push_back(percent_text(recall[key]));
}

ReportTable functions_table(const json& trace, const std::string& title, const std::string& note) {
  ReportTable table{title,
                    note,
                    1,
                    {"hash function", "encoder top-1", "top-3", "gate mass", "decoder top-1", "top-3", "gate mass",
                     "size", "µs per source token", "µs per target token", "training"},
                    {}};
  for (const json& subject : trace["predictors"]) {
    Row row{subject["name"].get<std::string>()};
    add_shares(row, subject["encoder"]);
    add_shares(row, subject["decoder"]);
    row.push_back(bytes_text(subject["bytes"]));
    row.push_back(fixed(subject["microseconds_per_source_token"], 1));
    row.push_back(fixed(subject["microseconds_per_target_token"], 1));
    row.push_back(trained_text(subject["training"]));
    table.rows.push_back(std::move(row));
  }
  return table;
}

ReportTable tasks_table(const json& trace) {
  ReportTable table{"By task", "", 2, {"task", "hash function"}, {}};
  for (const char* stack : {"encoder", "decoder"}) {
    for (const char* what : {" top-1", " top-3", " gate mass"}) table.head.push_back(std::string(stack) + what);
  }
  for (const json& subject : trace["predictors"]) {
    for (const auto& [task, recall] : subject["tasks"].items()) {
      Row row{task.empty() ? "(none)" : task, subject["name"].get<std::string>()};
      add_shares(row, recall["encoder"]);
      add_shares(row, recall["decoder"]);
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

ReportTable layers_table(const json& trace) {
  ReportTable table{
      "By MoE layer",
      "Top-1 / top-3 / gate mass of each hash function. Entropy is of the experts that the gate chose, over its "
      "maximum: 100 % is perfectly even use.",
      1,
      {"layer", "entropy"},
      {}};
  for (const json& subject : trace["predictors"]) table.head.push_back(subject["name"].get<std::string>());
  for (const json& entropy : trace["entropy"]) {
    table.rows.push_back(
        {entropy["layer"].get<std::string>(), fixed(100 * entropy["normalised"].get<double>(), 1, " %")});
  }
  for (const json& subject : trace["predictors"]) {
    std::size_t row = 0;
    for (const char* stack : {"encoder", "decoder"}) {
      for (const json& layer : subject[stack]["layers"]) {
        table.rows.at(row++).push_back(fixed(layer["top1"], 1) + " / " + fixed(layer["top3"], 1) + " / " +
                                       fixed(layer["gate_mass"], 1));
      }
    }
  }
  return table;
}

ReportTable modes_table(const json& modes) {
  ReportTable table{"Routing modes",
                    "Perplexity is teacher-forced and weighted by target tokens, its ratio is to exact mode. By the "
                    "table: share of (token, layer) pairs that the hash table decided. Agreement is with the gate, on "
                    "the pairs for which both were asked.",
                    2,
                    {"mode", "weights", "perplexity", "ratio", "by the table", "late", "agreement", "seconds"},
                    {}};
  for (const json& mode : modes) {
    const auto weights = mode["weights"].get<std::string>();
    table.rows.push_back({mode["mode"].get<std::string>(), weights.empty() ? "-" : weights,
                          fixed(mode["perplexity"], 3), fixed(mode["perplexity_ratio"], 3),
                          percent_text(mode["by_table"]), percent_text(mode["late"]), percent_text(mode["agreement"]),
                          fixed(mode["seconds"], 0)});
  }
  return table;
}

ReportTable answers_table(const json& modes) {
  ReportTable table{"Answers",
                    "An answer is right when it is the target to the last token. Fidelity is accuracy over accuracy in "
                    "exact mode; unchanged answers are those with the tokens of exact mode, right or wrong.",
                    3,
                    {"task", "mode", "weights", "examples", "accuracy", "fidelity", "unchanged"},
                    {}};
  for (const json& mode : modes) {
    for (const auto& [task, figures] : mode["tasks"].items()) {
      const auto weights = mode["weights"].get<std::string>();
      table.rows.push_back({task, mode["mode"].get<std::string>(), weights.empty() ? "-" : weights,
                            figures["sequences"].dump(), percent_text(figures["accuracy"]),
                            percent_text(figures["fidelity"]), percent_text(figures["unchanged"])});
    }
  }
  return table;
}

}  // namespace

std::string percent_text(const json& value) {
  return fixed(value, 1, " %");
}

std::string report_subtitle(const json& evaluation) {
  const json& model = evaluation["model"];
  const json& trace = evaluation["held_out"];
  return "Model " + model["fingerprint"].get<std::string>().substr(0, 12) + " with " + model["experts"].dump() +
         " experts in each of " + model["encoder_moe_layers"].dump() + " + " + model["decoder_moe_layers"].dump() +
         " MoE layers; held out: " + trace["file"].get<std::string>() + ", " + trace["sequences"].dump() +
         " sequences, " + trace["source_tokens"].dump() + " source and " + trace["target_tokens"].dump() +
         " target tokens.";
}

std::vector<ReportTable> report_tables(const json& evaluation) {
  const json& held_out = evaluation["held_out"];
  std::vector<ReportTable> tables{
      functions_table(
          held_out, "Hash functions on held-out text",
          "Top-1: the expert named first is the gate's choice. Top-3: one of the first three is. Gate mass: "
          "the gate's probability of the first three. The oracle replays the trace and is the limit; the "
          "commonest experts are counted on this very trace, which favours them."),
      tasks_table(held_out), layers_table(held_out)};
  if (evaluation.contains("out_of_domain")) {
    const json& other = evaluation["out_of_domain"];
    tables.push_back(functions_table(other, "Hash functions on out-of-domain text",
                                     other["file"].get<std::string>() + ", " + other["source_tokens"].dump() +
                                         " source and " + other["target_tokens"].dump() + " target tokens."));
  }
  if (!evaluation["modes"].empty()) {
    tables.push_back(modes_table(evaluation["modes"]));
    if (!evaluation["modes"][0]["tasks"].empty()) tables.push_back(answers_table(evaluation["modes"]));
  }
  return tables;
}

}  // namespace sida::cli

// Everything that `sida evaluate` found, as one JSON object: docs/evaluation.md lists its keys.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/evaluation/mode_run.h"
#include "cli/evaluation/recall.h"
#include "cli/evaluation/recall_run.h"
#include "cli/evaluation/subject.h"

namespace sida::cli {

// One subject and what it reached on a trace.
struct SubjectResult {
  std::string name;
  std::string kind;         // As in predictor.json; "commonest", "oracle".
  std::uint64_t bytes = 0;  // Of its files; 0: it has none.
  Cost cost;
  nlohmann::json training;  // What its predictor.json says of its making; null: nothing.
  TaskRecall recall;
};

struct TraceResult {
  TraceSummary summary;
  std::vector<SubjectResult> subjects;
};

struct Evaluation {
  TraceResult held_out;
  std::optional<TraceResult> out_of_domain;
  std::vector<std::string> layer_names;  // "encoder.1": stack and block, per MoE layer.
  std::vector<ModeResult> modes;         // The exact one first; empty when no cluster was asked.
};

// `main`: name of the subject whose figures stand under `tasks` and `decoder`.
nlohmann::json evaluation_json(const Evaluation& evaluation, const std::string& main);

}  // namespace sida::cli

// An evaluation with every part present.
#pragma once

#include <cmath>

#include "cli/evaluation/evaluation_json.h"

namespace sida::test {

inline cli::ModeResult mode_result(const std::string& mode, std::uint64_t right, double loss) {
  cli::ModeResult result;
  result.mode = mode;
  result.weights = mode == "exact" ? "" : "gate";
  result.answers["short"] = {200, right, mode == "exact" ? 200U : 190U};
  result.losses["spans"] = {100, 100 * loss};
  result.routed = 1000;
  result.by_table = mode == "predicted" ? 900 : 0;
  result.compared = 100;
  result.agreed = 90;
  return result;
}

// One encoder and one decoder layer; the subject is called "learned".
inline cli::Evaluation evaluation() {
  cli::Evaluation evaluation;
  cli::TraceSummary& summary = evaluation.held_out.summary;
  summary.file = "a.trace";
  summary.header.num_experts = 2;
  summary.header.encoder_layers = 1;
  summary.header.decoder_layers = 1;
  summary.sequences = 3;
  summary.source_tokens = 100;
  summary.target_tokens = 10;
  summary.tokens_by_expert = {{50, 50}, {10, 0}};
  cli::SubjectResult learned;
  learned.name = "learned";
  learned.kind = "learned";
  learned.bytes = 2'000'000;
  learned.cost = {0.01, 0.002, 100, 10};
  learned.training = {{"seconds", 90}};
  learned.recall["short"] = {{{80, 72, 79, 70.4}}, {{8, 4, 6, 5}}};
  learned.recall["spans"] = {{{20, 10, 15, 12}}, {{2, 2, 2, 2}}};
  cli::SubjectResult oracle;
  oracle.name = oracle.kind = "oracle";
  oracle.recall = learned.recall;
  evaluation.held_out.subjects = {learned, oracle};
  evaluation.layer_names = {"encoder.1", "decoder.1"};
  evaluation.modes = {mode_result("exact", 100, std::log(4.0)), mode_result("gated", 100, std::log(4.0)),
                      mode_result("predicted", 99, std::log(5.0))};
  return evaluation;
}

}  // namespace sida::test

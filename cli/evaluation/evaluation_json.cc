#include "cli/evaluation/evaluation_json.h"

#include <algorithm>
#include <cmath>

#include "cli/statistics.h"

namespace sida::cli {
namespace {

using nlohmann::json;

// In percent; null of nothing.
json share(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return nullptr;
  return rounded(100 * static_cast<double>(part) / static_cast<double>(whole));
}

// part / whole; null without a whole.
json ratio(double part, double whole) {
  return whole > 0 ? json(rounded(part / whole)) : json();
}

// Null of no tokens.
json perplexity_json(const Loss& loss) {
  return loss.tokens == 0 ? json() : json(rounded(loss.perplexity()));
}

json recall_json(const Recall& recall) {
  return {{"tokens", recall.tokens},
          {"top1", rounded(recall.percent(static_cast<double>(recall.top1)))},
          {"top3", rounded(recall.percent(static_cast<double>(recall.top3)))},
          {"gate_mass", rounded(recall.percent(recall.gate_mass))}};
}

json stack_json(const StackRecall& layers, const std::vector<std::string>& names, std::size_t first_name) {
  json stack = recall_json(total(layers));
  stack["tokens"] = layers.empty() ? 0 : layers.front().tokens;
  stack["layers"] = json::array();
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    json one = recall_json(layers[layer]);
    one["layer"] = names.at(first_name + layer);
    stack["layers"].push_back(std::move(one));
  }
  return stack;
}

json microseconds_per(double seconds, std::uint64_t tokens) {
  return tokens == 0 || seconds <= 0 ? json() : json(rounded(1e6 * seconds / static_cast<double>(tokens)));
}

json subject_json(const SubjectResult& subject, const std::vector<std::string>& names, std::size_t encoder_layers) {
  const SequenceRecall all = all_tasks(subject.recall);
  json tasks = json::object();
  for (const auto& [task, recall] : subject.recall) {
    tasks[task] = {{"encoder", recall_json(total(recall.encoder))}, {"decoder", recall_json(total(recall.decoder))}};
  }
  return {{"name", subject.name},
          {"kind", subject.kind},
          {"bytes", subject.bytes},
          {"microseconds_per_source_token", microseconds_per(subject.cost.source_seconds, subject.cost.source_tokens)},
          {"microseconds_per_target_token", microseconds_per(subject.cost.target_seconds, subject.cost.target_tokens)},
          {"training", subject.training},
          {"encoder", stack_json(all.encoder, names, 0)},
          {"decoder", stack_json(all.decoder, names, encoder_layers)},
          {"tasks", std::move(tasks)}};
}

json trace_json(const TraceResult& result, const std::vector<std::string>& names) {
  const TraceSummary& summary = result.summary;
  json entropy = json::array();
  for (std::size_t layer = 0; layer < summary.tokens_by_expert.size(); ++layer) {
    entropy.push_back(
        {{"layer", names.at(layer)}, {"normalised", rounded(normalised_entropy(summary.tokens_by_expert[layer]))}});
  }
  json subjects = json::array();
  for (const SubjectResult& subject : result.subjects) {
    subjects.push_back(subject_json(subject, names, static_cast<std::size_t>(summary.header.encoder_layers)));
  }
  return {{"file", summary.file},
          {"sequences", summary.sequences},
          {"source_tokens", summary.source_tokens},
          {"target_tokens", summary.target_tokens},
          {"dropped_by_capacity", summary.dropped},
          {"entropy", std::move(entropy)},
          {"predictors", std::move(subjects)}};
}

json mode_json(const ModeResult& mode, const ModeResult& exact) {
  json tasks = json::object();
  for (const auto& [task, counts] : mode.answers) {
    const double exact_right = static_cast<double>(exact.answers.at(task).right);
    json fidelity = ratio(100 * static_cast<double>(counts.right), exact_right);
    tasks[task] = {{"sequences", counts.sequences},
                   {"accuracy", share(counts.right, counts.sequences)},
                   {"fidelity", std::move(fidelity)},
                   {"unchanged", share(counts.unchanged, counts.sequences)}};
  }
  json perplexity = json::object();
  for (const auto& [task, loss] : mode.losses) {
    perplexity[task] = {{"tokens", loss.tokens},
                        {"perplexity", perplexity_json(loss)},
                        {"ratio", ratio(loss.perplexity(), exact.losses.at(task).perplexity())}};
  }
  return {{"mode", mode.mode},
          {"weights", mode.weights},
          {"tasks", std::move(tasks)},
          {"perplexity", perplexity_json(mode.all_losses())},
          {"perplexity_ratio", ratio(mode.all_losses().perplexity(), exact.all_losses().perplexity())},
          {"perplexity_tokens", mode.all_losses().tokens},
          {"perplexity_by_task", std::move(perplexity)},
          {"by_table", share(mode.by_table, mode.routed)},
          {"late", share(mode.late, mode.routed)},
          {"agreement", share(mode.agreed, mode.compared)},
          {"seconds", rounded(mode.elapsed.count())}};
}

const ModeResult* find_mode(const std::vector<ModeResult>& modes, const std::string& mode) {
  const auto found = std::find_if(modes.begin(), modes.end(), [&](const auto& one) { return one.mode == mode; });
  return found == modes.end() ? nullptr : &*found;
}

// The keys that others rely on.
void add_headline(const Evaluation& evaluation, const SubjectResult* subject, json& out) {
  out["tasks"] = json::object();
  if (subject != nullptr) {
    for (const auto& [task, recall] : subject->recall) out["tasks"][task] = recall_json(total(recall.encoder));
    out["decoder"] = recall_json(total(all_tasks(subject->recall).decoder));
  }
  const ModeResult* exact = find_mode(evaluation.modes, "exact");
  if (exact == nullptr) return;
  for (const std::string name : {"exact", "gated", "predicted"}) {
    const ModeResult* mode = find_mode(evaluation.modes, name);
    if (mode == nullptr) continue;
    out["perplexity"][name] = perplexity_json(mode->all_losses());
    for (const auto& [task, counts] : mode->answers) {
      out["tasks"][task]["accuracy_" + name] = share(counts.right, counts.sequences);
    }
  }
  if (const ModeResult* predicted = find_mode(evaluation.modes, "predicted")) {
    const json told = mode_json(*predicted, *exact);
    out["perplexity"]["ratio"] = told["perplexity_ratio"];
    for (const auto& [task, figures] : told["tasks"].items()) {
      out["tasks"][task]["fidelity"] = figures["fidelity"];
      out["tasks"][task]["unchanged"] = figures["unchanged"];
    }
  }
}

}  // namespace

json evaluation_json(const Evaluation& evaluation, const std::string& main) {
  const TraceSummary& summary = evaluation.held_out.summary;
  json out{{"model",
            {{"fingerprint", model::to_hex(summary.header.model)},
             {"experts", summary.header.num_experts},
             {"encoder_moe_layers", summary.header.encoder_layers},
             {"decoder_moe_layers", summary.header.decoder_layers}}},
           {"predictor", main},
           {"held_out", trace_json(evaluation.held_out, evaluation.layer_names)}};
  if (evaluation.out_of_domain) out["out_of_domain"] = trace_json(*evaluation.out_of_domain, evaluation.layer_names);
  const SubjectResult* subject = nullptr;
  for (const SubjectResult& one : evaluation.held_out.subjects) {
    if (one.name == main) subject = &one;
  }
  add_headline(evaluation, subject, out);
  out["modes"] = json::array();
  for (const ModeResult& mode : evaluation.modes) out["modes"].push_back(mode_json(mode, evaluation.modes.front()));
  return out;
}

}  // namespace sida::cli

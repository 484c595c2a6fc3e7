#include "predictor/training/card.h"

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "predictor/hash/predictor_directory.h"

namespace sida::predictor {
namespace {

using nlohmann::json;

double hundredths(double value) {
  return std::round(100 * value) / 100;
}

json shares(const LayerHits& hits) {
  return {{"top1", hundredths(hits.percent(static_cast<double>(hits.top1)))},
          {"top3", hundredths(hits.percent(static_cast<double>(hits.top3)))},
          {"gate_mass", hundredths(hits.percent(hits.gate_mass))},
          {"mean_confidence", hundredths(hits.percent(hits.confidence))}};
}

json stack(const std::vector<LayerHits>& layers) {
  LayerHits all;
  json each = json::array();
  for (const LayerHits& layer : layers) {
    each.push_back(shares(layer));
    all.tokens += layer.tokens;
    all.top1 += layer.top1;
    all.top3 += layer.top3;
    all.gate_mass += layer.gate_mass;
    all.confidence += layer.confidence;
  }
  json found = shares(all);
  found["tokens"] = layers.empty() ? 0 : layers.front().tokens;
  found["layers"] = std::move(each);
  return found;
}

}  // namespace

json card_of(const NetworkShape& shape, const ModelShape& model, const model::Fingerprint& made_for,
             const TrainingOptions& options) {
  json network = to_json(shape);
  network["encoder_multiplications_per_token"] = encoder_multiplications(shape, model);
  return {{"kind", kLearnedKind},
          {"k", std::min<std::int64_t>(options.k, model.num_experts)},
          {"file", kWeightsFile},
          {"model", {{"fingerprint", model::to_hex(made_for)}}},
          {"network", std::move(network)}};
}

json training_of(const TrainingOptions& o, const Corpus& corpus, const Progress& progress, bool began_as_the_model) {
  json traces = json::array();
  for (const std::string& path : o.traces) traces.push_back(std::filesystem::path(path).filename().string());
  return {{"traces", std::move(traces)},
          {"tokenizer_fingerprint", model::to_hex(corpus.header().tokenizer)},
          {"sequences", corpus.training().size()},
          {"held_out_sequences", corpus.held_out().size()},
          {"left_out_as_too_long", corpus.left_out()},
          {"began_as_the_models_weights", began_as_the_model},
          {"began_with_an_earlier_predictor", !o.begin_with.empty()},
          {"steps", progress.steps},
          {"tokens", progress.tokens},
          {"seconds", std::round(progress.seconds)},
          {"held_out_loss", progress.best_loss},
          {"seed", o.seed},
          {"rate", o.rate},
          {"batch_tokens", o.batch_tokens}};
}

json metrics_of(const TaskHits& hits) {
  json metrics = json::object();
  for (const auto& [task, stacks] : hits) {
    json& found = metrics[task.empty() ? "text" : task];
    found["encoder"] = stack(stacks.encoder);
    if (!stacks.decoder.empty()) found["decoder"] = stack(stacks.decoder);
  }
  return metrics;
}

}  // namespace sida::predictor

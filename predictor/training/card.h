// predictor.json of a trained predictor.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/model/fingerprint.h"
#include "predictor/network/network_shape.h"
#include "predictor/training/checkpoint.h"
#include "predictor/training/corpus.h"
#include "predictor/training/held_out_hits.h"
#include "predictor/training/training_options.h"

namespace sida::predictor {

inline constexpr const char* kWeightsFile = "weights.safetensors";

// What a predictor directory must say to be opened; people read the rest.
nlohmann::json card_of(const NetworkShape& shape, const ModelShape& model, const model::Fingerprint& made_for,
                       const TrainingOptions& options);

// What it was learned from, and how.
nlohmann::json training_of(const TrainingOptions& options, const Corpus& corpus, const Progress& progress,
                           bool began_as_the_model);

// {"short": {"encoder": {"top1": 97.1, "top3": …, "gate_mass": …, "layers": […]}, "decoder": {…}}, …}; percent.
nlohmann::json metrics_of(const TaskHits& hits);

}  // namespace sida::predictor

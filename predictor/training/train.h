// The whole of `sida train`: from options to a predictor directory.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/base/result.h"
#include "predictor/training/trainer.h"
#include "predictor/training/training_options.h"

namespace sida::predictor {

struct TrainingHooks {
  std::function<void(const std::string& line)> say;  // What is about to happen.
  std::function<void(const Measurement&)> measured;
  std::function<bool()> stop;
};

// Trains, writes `options.out`, opens what it wrote, measures it on the held-out sequences, and answers the card.
// Blocks for minutes. Errors: kInvalidArgument, kNotFound, kInvalidModel, kMismatch, kIo; kCancelled: stopped, with a
// checkpoint.
Result<nlohmann::json> train(const TrainingOptions& options, const TrainingHooks& hooks);

}  // namespace sida::predictor

// Which network fits a model, where the options leave it open.
#pragma once

#include "common/base/result.h"
#include "common/model/model_directory.h"
#include "predictor/training/training_options.h"

namespace sida::predictor {

// kInvalidArgument where an option does not fit the model.
Result<NetworkShape> default_shape(const model::ModelDirectory& model, const TrainingOptions& options);

// Whether the miniature's blocks are the model's own, so that they can begin with the model's weights.
bool mirrors(const NetworkShape& shape, const model::ModelDirectory& model);

}  // namespace sida::predictor

// What a model directory means in bytes, as a cluster computes with it.
#pragma once

#include <cstdint>
#include <string>

#include "cli/bench/offload_samples.h"
#include "common/base/result.h"
#include "common/model/model_directory.h"

namespace sida::bench {

// `dtype`: as the option of that name. Of `workers` workers. Opens the model's store, if it has one: kInvalidModel,
// kIo. kInvalidArgument on a dtype that does not go with the model.
Result<OffloadModel> sizes_of(const model::ModelDirectory& model, const std::string& dtype, std::int64_t workers);

}  // namespace sida::bench

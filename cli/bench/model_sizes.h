// What a model directory means in bytes, as a cluster computes with it.
#pragma once

#include <cstdint>
#include <string>

#include "cli/bench/offload_samples.h"
#include "common/base/result.h"
#include "common/model/model_directory.h"
#include "common/store/store_file.h"

namespace sida::bench {

// `dtype`: as the option of that name. `store`: the model's, or null. Of `workers` workers. Pure but for the directory,
// which is open already. kInvalidArgument on a dtype that does not go with the model.
Result<OffloadModel> sizes_of(const model::ModelDirectory& model, const store::StoreFile* store,
                              const std::string& dtype, std::int64_t workers);

}  // namespace sida::bench

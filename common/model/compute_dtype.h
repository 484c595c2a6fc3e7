// In which type a model is computed: what --dtype means, the same in router and worker.
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/model/model_directory.h"
#include "common/tensor/dtype.h"

namespace sida::model {

// "fp32", "bf16", or "auto": the checkpoint's own, fp16 in fp32. kInvalidArgument on anything else.
Result<DType> compute_dtype(const std::string& option, DType stored);

// The same for a model directory. The blocks of an expert store are of one type, which "auto" means; asking for the
// other is kInvalidArgument.
Result<DType> compute_dtype(const std::string& option, const ModelDirectory& model);

}  // namespace sida::model

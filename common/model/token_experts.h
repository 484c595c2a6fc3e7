// The routing tables of a model with hash routing.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/result.h"
#include "common/model/model_directory.h"

namespace sida::model {

// The expert of every token id in one MoE layer, [vocab_size], each of the model's experts. The model has hash routing
// (SIDA_CHECK). kInvalidModel naming the tensor, kIo. Blocks on disk.
[[nodiscard]] Result<std::vector<std::int16_t>> read_token_experts(const ModelDirectory& model, LayerId layer);

}  // namespace sida::model

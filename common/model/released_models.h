// The geometry of the released Switch Transformers, from their config.json on the Hugging Face Hub.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/model/model_config.h"

namespace sida::model {

// What a model is before it has weights. Any other geometry than a released one is written down by hand (tests).
struct Blueprint {
  ModelConfig config;  // dtype: that of the released weights.
  std::int64_t encoder_layers = 0;
  std::int64_t decoder_layers = 0;
  std::int64_t encoder_sparse_step = 0;  // As in DeclaredModel.
  std::int64_t decoder_sparse_step = 0;
  double router_jitter_noise = 0.01;  // Only written into config.json; it matters in training.
};

// "switch-base-8", …, for messages and completion.
[[nodiscard]] std::vector<std::string_view> released_model_names();

// `experts` and `layers` (of each stack) replace the released figures. Errors: kInvalidArgument, the name or bound
// given.
[[nodiscard]] Result<Blueprint> blueprint_like(std::string_view name, std::optional<std::int64_t> experts,
                                               std::optional<std::int64_t> layers);

}  // namespace sida::model

// What a model directory holds besides weights.
#pragma once

#include <filesystem>

#include "common/base/result.h"

namespace sida::store {

// Copies configuration, tokeniser, model card, licence and predictor from one model directory into another, as far as
// they are there; nothing else that lies about. On disk afterwards. Errors: kIo, kInvalidModel (not a regular file).
[[nodiscard]] Result<void> copy_description(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace sida::store

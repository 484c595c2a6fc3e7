// What tells whether a model directory is still the same as in an earlier run.
#pragma once

#include <string>

#include "common/model/model_directory.h"

namespace sida::store {

// Lines: the fingerprint, and name, size and time of change of every weight file. kIo when a file is gone.
[[nodiscard]] Result<std::string> source_identity(const model::ModelDirectory& model);

}  // namespace sida::store

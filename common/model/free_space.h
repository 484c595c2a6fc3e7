// Whether what is about to be written fits.
#pragma once

#include <cstdint>
#include <filesystem>

#include "common/base/result.h"

namespace sida::model {

// Of weights of so many bytes, and some MiB for what lies beside them, in a folder that holds `bytes_there` of them
// already. kIo with both figures when they do not fit.
[[nodiscard]] Result<void> check_space(const std::filesystem::path& folder, std::uint64_t bytes,
                                       std::uint64_t bytes_there = 0);

}  // namespace sida::model

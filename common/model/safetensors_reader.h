// Headers of .safetensors files.
// Format: 8 bytes little-endian length N, N bytes of JSON, data. Source: huggingface/safetensors, README and tensor.rs.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/model/read_only_file.h"
#include "common/model/stored_tensor.h"

namespace sida::model {

inline constexpr std::uint64_t kSafetensorsHeaderBytesMax = 100'000'000;  // As in the reference reader.

// Checks everything that can be checked without the data: sizes with overflow, ranges without overlap or hole up to the
// end of the file, no name twice. Errors: kInvalidModel naming the tensor, kIo.
[[nodiscard]] Result<std::vector<StoredTensor>> read_safetensors(const ReadOnlyFile& file);

// The JSON alone. `data_begin` is where the data starts in the file, `data_bytes` how much there is.
[[nodiscard]] Result<std::vector<StoredTensor>> parse_safetensors_header(std::string_view json,
                                                                         std::uint64_t data_begin,
                                                                         std::uint64_t data_bytes);

}  // namespace sida::model

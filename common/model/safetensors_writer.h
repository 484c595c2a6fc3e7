// Writes .safetensors files (safetensors_reader.h has the format).
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "common/model/tensor_file_writer.h"

namespace sida::model {

// Bytes go into the file in the order of `tensors`. Give them sorted by name, so that the two matrices of an expert are
// neighbours, as in files that Hugging Face writes. No aliases. Errors: kIo, also for an existing file.
[[nodiscard]] Result<std::unique_ptr<TensorFileWriter>> create_safetensors(const std::filesystem::path& path,
                                                                           const std::vector<TensorToWrite>& tensors);

}  // namespace sida::model

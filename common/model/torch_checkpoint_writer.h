// Writes pytorch_model*.bin files that torch.load and torch_checkpoint_reader.h read.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "common/model/tensor_file_writer.h"

namespace sida::model {

// A tensor has less than 4 GiB. Errors: kIo, also for an existing file.
[[nodiscard]] Result<std::unique_ptr<TensorFileWriter>> create_torch_checkpoint(
    const std::filesystem::path& path, const std::vector<TensorToWrite>& tensors);

}  // namespace sida::model

// LibTorch tensors in safetensors files.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

#include "common/base/result.h"

namespace sida::predictor {

// fp32 or bf16. Replaces the file at once, when all is on disk. kIo.
[[nodiscard]] Result<void> write_tensors(const std::filesystem::path& path,
                                         const std::map<std::string, at::Tensor>& tensors);

// Fills `tensors`, fp32, with those of the same name, and refuses files that have others, or that lack one.
// kNotFound, kInvalidModel, kIo.
[[nodiscard]] Result<void> read_tensors(const std::filesystem::path& path, std::map<std::string, at::Tensor>& tensors);

// BLAKE2b of a file of weights as 64 hexadecimal digits: what its card or its checkpoint says of it against damage.
// kNotFound, kInvalidModel, kIo.
[[nodiscard]] Result<std::string> hash_of_weights(const std::filesystem::path& path);

}  // namespace sida::predictor

// Writes a model directory anew as safetensors, in another type if need be: `sida convert --format safetensors`.
#pragma once

#include <cstdint>
#include <filesystem>

#include "common/model/model_directory.h"
#include "common/store/write_store.h"

namespace sida::store {

struct WriteSafetensorsOptions {
  DType dtype = DType::kFloat32;                  // kFloat32 or kBFloat16, of every tensor but tables of integers.
  std::uint64_t shard_bytes_max = 5'000'000'000;  // Hugging Face's default before version 5.
};

// As write_store() does it: complete or not there, going on with the shards that an interrupted run finished, in a few
// MiB of memory. The tensors that the model uses, by canonical name; config.json names the type. To bf16 rounds to
// nearest even. Errors: those of write_store; kInvalidArgument when the model is an expert store.
[[nodiscard]] Result<void> write_safetensors(const std::filesystem::path& destination,
                                             const model::ModelDirectory& model, const WriteSafetensorsOptions& options,
                                             const StoreProgress& progress);

}  // namespace sida::store

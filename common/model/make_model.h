// Random weights with a known geometry, in Hugging Face's format and under its names: `sida make-model`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "common/base/result.h"
#include "common/model/released_models.h"

namespace sida::model {

enum class WeightFormat { kSafetensors, kTorchCheckpoint };

struct MakeModelOptions {
  std::uint64_t seed = 0;
  WeightFormat format = WeightFormat::kSafetensors;
  std::uint64_t shard_bytes_max = 5'000'000'000;  // Hugging Face's default before version 5.
};

// Called every few MiB from the calling thread. False stops the work (kCancelled) and leaves nothing behind.
using MakeModelProgress = std::function<bool(std::uint64_t bytes_done, std::uint64_t bytes_total)>;

// Bytes of all weights that make_model would write.
[[nodiscard]] std::uint64_t weight_bytes(const Blueprint& blueprint);

// Writes config.json, generation_config.json and the weights, in blueprint.config.dtype (fp32, bf16 or fp16), into
// DST.partial, and renames it when all is on disk. A checkpoint (.bin) holds all four names of a tied embedding, as the
// released ones do; safetensors hold `shared.weight`. Equal values for equal seeds, whatever the format.
// Blocks: a few seconds per GiB and core. Needs a few MiB of memory.
// Errors: kInvalidArgument (destination or DST.partial exists, or hash routing in a checkpoint), kIo (not enough space,
// said before anything is written), kCancelled.
[[nodiscard]] Result<void> make_model(const std::filesystem::path& destination, const Blueprint& blueprint,
                                      const MakeModelOptions& options, const MakeModelProgress& progress);

}  // namespace sida::model

// Reads one expert from the model directory and packs it into a slot.
#pragma once

#include <vector>

#include "common/model/model_directory.h"
#include "expert-worker/residency/slot_memory.h"

namespace sida::worker {

// One thread. Blocks on the disk.
class ExpertLoader {
 public:
  // Both outlive the loader.
  ExpertLoader(const model::ModelDirectory& model, SlotMemory& memory) : model_(model), memory_(memory) {}

  // Errors name file and tensor: kIo, kInvalidModel. The slot's bytes are then undefined.
  Result<void> load(ExpertKey key, SlotId slot);

  // Bytes that load() keeps for reading: the larger stored matrix of an expert. Part of the memory budget.
  static std::size_t staging_bytes(const model::ModelDirectory& model);

 private:
  Result<void> load_matrix(const model::TensorInfo& tensor, std::span<std::byte> destination);

  const model::ModelDirectory& model_;
  SlotMemory& memory_;
  std::vector<std::byte> staging_;
};

}  // namespace sida::worker

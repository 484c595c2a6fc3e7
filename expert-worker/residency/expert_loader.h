// Reads one expert from the model directory and packs it into a slot.
#pragma once

#include <vector>

#include "common/model/model_directory.h"
#include "expert-worker/residency/slot_memory.h"

namespace sida::worker {

// An expert on its way into a slot: what ExpertLoader::begin() answers and step() advances. Dropping it stops the load;
// the slot's bytes are then undefined.
class ExpertLoad {
 public:
  [[nodiscard]] ExpertKey key() const { return key_; }
  [[nodiscard]] SlotId slot() const { return slot_; }

 private:
  friend class ExpertLoader;
  ExpertLoad(ExpertKey key, SlotId slot) : key_(key), slot_(slot) {}

  ExpertKey key_;
  SlotId slot_;
  std::uint32_t steps_done_ = 0;
};

// One thread. Any number of loads may be under way, each into a slot of its own; whoever owns them decides before every
// step which one goes on, so that a demanded expert need not wait for the rest of another.
class ExpertLoader {
 public:
  // Both outlive the loader.
  ExpertLoader(const model::ModelDirectory& model, SlotMemory& memory) : model_(model), memory_(memory) {}

  // Does not touch the disk. SIDA_CHECKs in step() that the model has such an expert.
  [[nodiscard]] ExpertLoad begin(ExpertKey key, SlotId slot) const { return {key, slot}; }

  // Reads a piece of the expert: one matrix. True once the slot holds all of it; no further step then. Blocks on the
  // disk. Errors name file and tensor: kIo, kInvalidModel; the load is then over, and the slot's bytes are undefined.
  Result<bool> step(ExpertLoad& load);

  // All steps at once.
  Result<void> load(ExpertKey key, SlotId slot);

  // Bytes that a step keeps for reading: the larger stored matrix of an expert. Part of the memory budget.
  static std::size_t staging_bytes(const model::ModelDirectory& model);

 private:
  Result<void> load_matrix(const model::TensorInfo& tensor, std::span<std::byte> destination);

  const model::ModelDirectory& model_;
  SlotMemory& memory_;
  std::vector<std::byte> staging_;
};

}  // namespace sida::worker

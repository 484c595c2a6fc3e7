// Brings one expert into a slot: reads its block from the store, or reads and packs its tensors.
#pragma once

#include <vector>

#include "common/model/model_directory.h"
#include "common/store/expert_bands.h"
#include "common/store/store_file.h"
#include "expert-worker/residency/slot_memory.h"

namespace sida::worker {

// An expert on its way into a slot: what ExpertLoader::begin() answers and step() advances.
class ExpertLoad {
 public:
  [[nodiscard]] ExpertKey key() const { return key_; }
  [[nodiscard]] SlotId slot() const { return slot_; }

 private:
  friend class ExpertLoader;
  ExpertLoad(ExpertKey key, SlotId slot) : key_(key), slot_(slot) {}

  ExpertKey key_;
  SlotId slot_;
  std::size_t bands_done_ = 0;  // Without a store.
  store::BlockRead block_;      // With one.
};

// One thread. Any number of loads may be under way, each into a slot of its own; whoever owns them decides before every
// step which one goes on, so that a demanded expert need not wait for the rest of another.
class ExpertLoader {
 public:
  // All outlive the loader. `store`: of that model, if it has one; the slots are then of its type. nullptr: it has
  // none.
  ExpertLoader(const model::ModelDirectory& model, SlotMemory& memory, const store::StoreFile* store = nullptr);

  // Does not touch the disk. SIDA_CHECKs in step() that the model has such an expert.
  [[nodiscard]] ExpertLoad begin(ExpertKey key, SlotId slot) const { return {key, slot}; }

  // Reads a piece of the expert: store::kReadBytes of a store, else a band of a matrix. True once the slot holds all of
  // it and, of a store, its checksum is right; no further step then. Blocks on the disk. Errors name file and expert,
  // kIo or kInvalidModel; the load is then over, and the slot's bytes are undefined.
  Result<bool> step(ExpertLoad& load);

  // Ends a load before its end, or after a step failed. The slot's bytes are then undefined.
  void abandon(const ExpertLoad& load) const;

  // All steps at once.
  Result<void> load(ExpertKey key, SlotId slot);

  // In how many steps an expert is read.
  [[nodiscard]] std::size_t pieces() const;

  // Bytes that reading into slots of this type takes besides them, a part of the memory budget: the largest band as it
  // is stored, or what a store's reads keep in the page cache, of the load that goes on and of one that it overtook
  // (LoadQueue begins no other one meanwhile).
  static std::size_t staging_bytes(const model::ModelDirectory& model, DType slots,
                                   const store::StoreFile* store = nullptr);

 private:
  Result<void> load_band(ExpertKey key, SlotId slot, const store::Band& band);

  const model::ModelDirectory& model_;
  SlotMemory& memory_;
  const store::StoreFile* store_;
  std::vector<store::Band> bands_;  // Of any expert.
  std::vector<std::byte> staging_;
};

}  // namespace sida::worker

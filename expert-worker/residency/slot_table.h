// Which expert is in which slot of fast memory. Bookkeeping only: no bytes, no I/O.
//
// A slot is free, loading, or resident; a resident one may be pinned by work that uses it. Only what is resident and
// not pinned can be evicted; which of these is an EvictionPolicy's choice.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "expert-worker/residency/eviction_policy.h"

namespace sida::worker {

using SlotId = Id<struct SlotTag, std::uint32_t>;  // Position in the pool, from 0.

enum class Residence { kAbsent, kLoading, kResident };

// One thread.
class SlotTable {
 public:
  explicit SlotTable(std::uint32_t slots);

  [[nodiscard]] Residence state(ExpertKey key) const;

  // Keeps a resident expert where it is until as many unpin(); marks it as used. Nothing when it is not resident.
  std::optional<SlotId> pin(ExpertKey key);
  void unpin(SlotId slot);

  // A free slot to load an absent expert into. Nothing when there is none.
  std::optional<SlotId> begin_load(ExpertKey key);
  // The same into the slot of `victim`, which is evicted. SIDA_CHECKs that it is resident and not pinned.
  SlotId begin_load_over(ExpertKey victim, ExpertKey key);
  void end_load(SlotId slot, bool loaded);

  // What could be evicted now, in order of slots; `turn` is not filled in.
  [[nodiscard]] std::vector<Evictable> evictable() const;
  // Slots by layer of their expert, loading ones included; as many layers as were ever seen.
  [[nodiscard]] std::span<const std::uint32_t> by_layer() const { return by_layer_; }

  [[nodiscard]] std::uint32_t slots() const { return static_cast<std::uint32_t>(slots_.size()); }
  [[nodiscard]] std::uint32_t used() const { return slots() - static_cast<std::uint32_t>(free_.size()); }
  [[nodiscard]] std::vector<ExpertKey> resident() const;  // Sorted.
  [[nodiscard]] std::uint64_t evictions() const { return evictions_; }

 private:
  struct Slot {
    ExpertKey key;
    Residence state = Residence::kAbsent;
    std::uint32_t pins = 0;
    std::uint64_t loaded = 0;
    std::uint64_t used = 0;
  };
  Slot& at(SlotId slot) { return slots_.at(slot.value); }
  void hold(SlotId slot, ExpertKey key);
  void drop(SlotId slot);

  std::vector<Slot> slots_;
  std::vector<SlotId> free_;
  std::unordered_map<ExpertKey, SlotId> by_key_;
  std::vector<std::uint32_t> by_layer_;
  std::uint64_t last_use_ = 0;
  std::uint64_t last_load_ = 0;
  std::uint64_t evictions_ = 0;
};

}  // namespace sida::worker

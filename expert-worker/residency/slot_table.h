// Which expert is in which slot of fast memory. Bookkeeping only: no bytes, no I/O.
//
// A slot is free, loading, or resident; a resident one may be pinned by work that uses it. Eviction drops the expert
// that was used least recently: weights never change, so nothing is copied back.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"

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

  // A slot to load an absent expert into: a free one, else that of the least recently used expert that nobody uses and
  // that `may_evict` allows. Nothing when there is none.
  std::optional<SlotId> begin_load(ExpertKey key, const std::function<bool(ExpertKey)>& may_evict);
  void end_load(SlotId slot, bool loaded);

  [[nodiscard]] std::uint32_t slots() const { return static_cast<std::uint32_t>(slots_.size()); }
  [[nodiscard]] std::uint32_t used() const { return slots() - static_cast<std::uint32_t>(free_.size()); }
  [[nodiscard]] std::vector<ExpertKey> resident() const;  // Sorted.
  [[nodiscard]] std::uint64_t evictions() const { return evictions_; }

 private:
  struct Slot {
    ExpertKey key;
    Residence state = Residence::kAbsent;
    std::uint32_t pins = 0;
    std::list<SlotId>::iterator place;  // In unused_, while resident without pins.
  };
  Slot& at(SlotId slot) { return slots_.at(slot.value); }

  std::vector<Slot> slots_;
  std::vector<SlotId> free_;
  std::list<SlotId> unused_;  // Resident without pins; least recently used first.
  std::unordered_map<ExpertKey, SlotId> by_key_;
  std::uint64_t evictions_ = 0;
};

}  // namespace sida::worker

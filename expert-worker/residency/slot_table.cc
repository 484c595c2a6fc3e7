#include "expert-worker/residency/slot_table.h"

#include <algorithm>

#include "common/base/result.h"

namespace sida::worker {

SlotTable::SlotTable(std::uint32_t slots) : slots_(slots) {
  for (std::uint32_t i = slots; i > 0; --i) free_.push_back(SlotId{i - 1});
}

Residence SlotTable::state(ExpertKey key) const {
  auto found = by_key_.find(key);
  return found == by_key_.end() ? Residence::kAbsent : slots_.at(found->second.value).state;
}

std::optional<SlotId> SlotTable::pin(ExpertKey key) {
  auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  Slot& slot = at(found->second);
  if (slot.state != Residence::kResident) return std::nullopt;
  if (slot.pins++ == 0) unused_.erase(slot.place);
  return found->second;
}

void SlotTable::unpin(SlotId id) {
  Slot& slot = at(id);
  SIDA_CHECK(slot.pins > 0);
  if (--slot.pins == 0) slot.place = unused_.insert(unused_.end(), id);
}

std::optional<SlotId> SlotTable::begin_load(ExpertKey key, const std::function<bool(ExpertKey)>& may_evict) {
  SIDA_CHECK(!by_key_.contains(key));
  std::optional<SlotId> id;
  if (!free_.empty()) {
    id = free_.back();
    free_.pop_back();
  } else {
    auto victim = std::ranges::find_if(unused_, [&](SlotId slot) { return may_evict(at(slot).key); });
    if (victim == unused_.end()) return std::nullopt;
    id = *victim;
    by_key_.erase(at(*id).key);
    unused_.erase(victim);
    ++evictions_;
  }
  at(*id).key = key;
  at(*id).state = Residence::kLoading;
  by_key_.emplace(key, *id);
  return id;
}

void SlotTable::end_load(SlotId id, bool loaded) {
  Slot& slot = at(id);
  SIDA_CHECK(slot.state == Residence::kLoading);
  if (loaded) {
    slot.state = Residence::kResident;
    slot.place = unused_.insert(unused_.end(), id);
  } else {
    slot.state = Residence::kAbsent;
    by_key_.erase(slot.key);
    free_.push_back(id);
  }
}

std::vector<ExpertKey> SlotTable::resident() const {
  std::vector<ExpertKey> keys;
  for (const Slot& slot : slots_) {
    if (slot.state == Residence::kResident) keys.push_back(slot.key);
  }
  std::ranges::sort(keys);
  return keys;
}

}  // namespace sida::worker

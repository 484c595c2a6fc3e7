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
  ++slot.pins;
  return found->second;
}

void SlotTable::unpin(SlotId id) {
  Slot& slot = at(id);
  SIDA_CHECK(slot.pins > 0);
  --slot.pins;
  slot.used = ++last_use_;
}

std::optional<SlotId> SlotTable::begin_load(ExpertKey key) {
  if (free_.empty()) return std::nullopt;
  const SlotId id = free_.back();
  free_.pop_back();
  hold(id, key);
  return id;
}

SlotId SlotTable::begin_load_over(ExpertKey victim, ExpertKey key) {
  const SlotId id = by_key_.at(victim);
  SIDA_CHECK(at(id).state == Residence::kResident && at(id).pins == 0);
  drop(id);
  ++evictions_;
  hold(id, key);
  return id;
}

void SlotTable::end_load(SlotId id, bool loaded) {
  Slot& slot = at(id);
  SIDA_CHECK(slot.state == Residence::kLoading);
  if (loaded) {
    slot.state = Residence::kResident;
    slot.loaded = ++last_load_;
    slot.used = ++last_use_;
  } else {
    drop(id);
    free_.push_back(id);
  }
}

void SlotTable::hold(SlotId id, ExpertKey key) {
  SIDA_CHECK(by_key_.emplace(key, id).second);
  at(id).key = key;
  at(id).state = Residence::kLoading;
  const auto layer = static_cast<std::size_t>(key.layer.value);
  if (by_layer_.size() <= layer) by_layer_.resize(layer + 1, 0);
  ++by_layer_[layer];
}

void SlotTable::drop(SlotId id) {
  Slot& slot = at(id);
  slot.state = Residence::kAbsent;
  by_key_.erase(slot.key);
  --by_layer_[static_cast<std::size_t>(slot.key.layer.value)];
}

std::vector<Evictable> SlotTable::evictable() const {
  std::vector<Evictable> keys;
  for (const Slot& slot : slots_) {
    if (slot.state != Residence::kResident || slot.pins > 0) continue;
    keys.push_back({.key = slot.key, .loaded = slot.loaded, .used = slot.used, .turn = {}});
  }
  return keys;
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

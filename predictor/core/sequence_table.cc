#include "predictor/core/sequence_table.h"

namespace sida::predictor {

void SequenceTable::touch(Entries::iterator entry, TimePoint now) {
  entry->touched = now;
  entries_.splice(entries_.begin(), entries_, entry);
}

std::optional<SequenceKey> SequenceTable::begin(const SequenceKey& key, TimePoint now) {
  if (const auto known = by_key_.find(key); known != by_key_.end()) {
    known->second->next_position = 0;
    known->second->beginning = ++last_beginning_;
    touch(known->second, now);
    return std::nullopt;
  }
  std::optional<SequenceKey> made_room;
  if (entries_.size() >= sequences_max_) {
    made_room = entries_.back().key;
    forget(*made_room);
  }
  entries_.push_front({key, now, 0, ++last_beginning_});
  by_key_[key] = entries_.begin();
  return made_room;
}

bool SequenceTable::advance(const SequenceKey& key, std::uint32_t position, TimePoint now) {
  const auto known = by_key_.find(key);
  if (known == by_key_.end() || position < known->second->next_position) return false;
  known->second->next_position = position + 1;
  touch(known->second, now);
  return true;
}

std::uint64_t SequenceTable::beginning(const SequenceKey& key) const {
  const auto known = by_key_.find(key);
  return known == by_key_.end() ? 0 : known->second->beginning;
}

bool SequenceTable::forget(const SequenceKey& key) {
  const auto known = by_key_.find(key);
  if (known == by_key_.end()) return false;
  entries_.erase(known->second);
  by_key_.erase(known);
  return true;
}

std::vector<SequenceKey> SequenceTable::forget_router(transport::PeerId router) {
  std::vector<SequenceKey> gone;
  // Keys are ordered by router first.
  for (auto entry = by_key_.lower_bound({router, SequenceId{0}});
       entry != by_key_.end() && entry->first.router == router; entry = by_key_.erase(entry)) {
    gone.push_back(entry->first);
    entries_.erase(entry->second);
  }
  return gone;
}

std::vector<SequenceKey> SequenceTable::expire(TimePoint now) {
  std::vector<SequenceKey> gone;
  while (!entries_.empty() && now - entries_.back().touched > idle_max_) {
    gone.push_back(entries_.back().key);
    forget(gone.back());
  }
  return gone;
}

}  // namespace sida::predictor

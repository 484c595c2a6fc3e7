#include "predictor/core/sequence_table.h"

namespace sida::predictor {

void SequenceTable::touch(Entries::iterator entry, TimePoint now) {
  entry->touched = now;
  entries_.splice(entries_.begin(), entries_, entry);
}

void SequenceTable::erase(Entries::iterator entry) {
  state_bytes_ -= entry->state_bytes;
  entries_.erase(entry);
}

std::vector<SequenceKey> SequenceTable::begin(const SequenceKey& key, std::size_t state_bytes, TimePoint now) {
  forget(key);
  std::vector<SequenceKey> made_room;
  while (!entries_.empty() &&
         (entries_.size() >= limits_.sequences_max || state_bytes_ + state_bytes > limits_.state_bytes_max)) {
    made_room.push_back(entries_.back().key);
    forget(made_room.back());
  }
  entries_.push_front({key, now, state_bytes, 0, ++last_beginning_, false});
  by_key_[key] = entries_.begin();
  state_bytes_ += state_bytes;
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

void SequenceTable::set_reading(const SequenceKey& key) {
  const auto known = by_key_.find(key);
  if (known != by_key_.end()) known->second->reading = true;
}

bool SequenceTable::is_reading(const SequenceKey& key) const {
  const auto known = by_key_.find(key);
  return known != by_key_.end() && known->second->reading;
}

bool SequenceTable::forget(const SequenceKey& key) {
  const auto known = by_key_.find(key);
  if (known == by_key_.end()) return false;
  erase(known->second);
  by_key_.erase(known);
  return true;
}

std::vector<SequenceKey> SequenceTable::forget_router(transport::PeerId router) {
  std::vector<SequenceKey> gone;
  // Keys are ordered by router first.
  for (auto entry = by_key_.lower_bound({router, SequenceId{0}});
       entry != by_key_.end() && entry->first.router == router; entry = by_key_.erase(entry)) {
    gone.push_back(entry->first);
    erase(entry->second);
  }
  return gone;
}

std::vector<SequenceKey> SequenceTable::expire(TimePoint now) {
  std::vector<SequenceKey> gone;
  while (!entries_.empty() && now - entries_.back().touched > limits_.idle_max) {
    gone.push_back(entries_.back().key);
    forget(gone.back());
  }
  return gone;
}

}  // namespace sida::predictor

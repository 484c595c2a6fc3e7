// The sequences whose decoders a predictor follows: bounded in number and in idle time.
#pragma once

#include <compare>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <vector>

#include "common/base/ids.h"
#include "common/runtime/clock.h"
#include "common/transport/control_link.h"

namespace sida::predictor {

// Sequence ids are unique in one router only.
struct SequenceKey {
  transport::PeerId router;
  SequenceId sequence;
  auto operator<=>(const SequenceKey&) const = default;
};

class SequenceTable {
 public:
  // At `sequences_max` the sequence untouched for longest makes room; after `idle_max` a sequence is given up.
  SequenceTable(std::size_t sequences_max, Duration idle_max) : sequences_max_(sequences_max), idle_max_(idle_max) {}

  // Begins a sequence anew. Returns the sequence that made room, if one had to.
  std::optional<SequenceKey> begin(const SequenceKey& key, TimePoint now);
  // Whether the decoder's token at `position` is new: false for an unknown sequence and for a repetition.
  bool advance(const SequenceKey& key, std::uint32_t position, TimePoint now);
  // False when it was not known.
  bool forget(const SequenceKey& key);
  std::vector<SequenceKey> forget_router(transport::PeerId router);
  // Those idle for too long, given up.
  std::vector<SequenceKey> expire(TimePoint now);

  [[nodiscard]] bool knows(const SequenceKey& key) const { return by_key_.contains(key); }
  // Which begin() a known sequence goes back to; 0: it is not known. Numbers are never used twice.
  [[nodiscard]] std::uint64_t beginning(const SequenceKey& key) const;
  [[nodiscard]] std::size_t size() const { return by_key_.size(); }

 private:
  struct Entry {
    SequenceKey key;
    TimePoint touched;
    std::uint32_t next_position = 0;
    std::uint64_t beginning = 0;
  };
  using Entries = std::list<Entry>;  // Touched last comes first.
  void touch(Entries::iterator entry, TimePoint now);

  std::size_t sequences_max_;
  Duration idle_max_;
  std::uint64_t last_beginning_ = 0;
  Entries entries_;
  std::map<SequenceKey, Entries::iterator> by_key_;
};

}  // namespace sida::predictor

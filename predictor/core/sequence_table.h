// The sequences whose decoders a predictor follows: bounded in number, in memory and in idle time.
#pragma once

#include <compare>
#include <cstdint>
#include <list>
#include <map>
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
  struct Limits {
    std::size_t sequences_max = 0;
    std::size_t state_bytes_max = 0;
    Duration idle_max{};
  };

  // At either maximum the sequences untouched for longest make room; after `idle_max` a sequence is given up.
  explicit SequenceTable(Limits limits) : limits_(limits) {}

  // Begins a sequence anew, whose state takes at most `state_bytes`. Returns those that made room. The sequence itself
  // is kept even where it alone takes more than the maximum.
  std::vector<SequenceKey> begin(const SequenceKey& key, std::size_t state_bytes, TimePoint now);
  // Whether the decoder's token at `position` is new: false for an unknown sequence and for a repetition.
  bool advance(const SequenceKey& key, std::uint32_t position, TimePoint now);
  // Its source was given out to be read; true from then on.
  void set_reading(const SequenceKey& key);
  [[nodiscard]] bool is_reading(const SequenceKey& key) const;
  // False when it was not known.
  bool forget(const SequenceKey& key);
  std::vector<SequenceKey> forget_router(transport::PeerId router);
  // Those idle for too long, given up.
  std::vector<SequenceKey> expire(TimePoint now);

  [[nodiscard]] bool knows(const SequenceKey& key) const { return by_key_.contains(key); }
  // Which begin() a known sequence goes back to; 0: it is not known. Numbers are never used twice.
  [[nodiscard]] std::uint64_t beginning(const SequenceKey& key) const;
  [[nodiscard]] std::size_t size() const { return by_key_.size(); }
  [[nodiscard]] std::size_t state_bytes() const { return state_bytes_; }

 private:
  struct Entry {
    SequenceKey key;
    TimePoint touched;
    std::size_t state_bytes = 0;
    std::uint32_t next_position = 0;
    std::uint64_t beginning = 0;
    bool reading = false;
  };
  using Entries = std::list<Entry>;  // Touched last comes first.
  void touch(Entries::iterator entry, TimePoint now);
  void erase(Entries::iterator entry);

  Limits limits_;
  std::size_t state_bytes_ = 0;
  std::uint64_t last_beginning_ = 0;
  Entries entries_;
  std::map<SequenceKey, Entries::iterator> by_key_;
};

}  // namespace sida::predictor

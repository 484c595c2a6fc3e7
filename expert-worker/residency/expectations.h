// The experts that routers say will be wanted, in order of need. Bookkeeping only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>

#include "common/base/ids.h"
#include "common/runtime/clock.h"
#include "expert-worker/residency/slot_table.h"

namespace sida::worker {

// One thread.
class Expectations {
 public:
  // Beyond `keys_max` advice is dropped. What was not demanded within `life` is forgotten: predictions may be wrong,
  // and requests end early.
  Expectations(std::size_t keys_max, Duration life) : keys_max_(keys_max), life_(life) {}

  // After everything expected so far; a known one keeps its place.
  void expect(ExpertKey key, TimePoint now);
  // It was demanded, or cannot be read: it is expected no more.
  void end(ExpertKey key);
  void expire(TimePoint now);

  // Lower: needed sooner. From 1.
  [[nodiscard]] std::optional<std::uint64_t> turn(ExpertKey key) const;
  // The one needed soonest of those that are neither resident nor on their way.
  [[nodiscard]] std::optional<ExpertKey> next(const SlotTable& slots) const;
  [[nodiscard]] std::size_t size() const { return turns_.size(); }

 private:
  struct Expected {
    ExpertKey key;
    TimePoint until;
  };
  const std::size_t keys_max_;
  const Duration life_;
  std::uint64_t last_turn_ = 0;
  std::map<std::uint64_t, Expected> by_turn_;  // Also in order of `until`.
  std::unordered_map<ExpertKey, std::uint64_t> turns_;
};

}  // namespace sida::worker

#include "expert-worker/residency/expectations.h"

namespace sida::worker {

void Expectations::expect(ExpertKey key, TimePoint now) {
  if (turns_.contains(key) || turns_.size() >= keys_max_) return;
  turns_.emplace(key, ++last_turn_);
  by_turn_.emplace(last_turn_, Expected{key, now + life_});
}

void Expectations::end(ExpertKey key) {
  const auto found = turns_.find(key);
  if (found == turns_.end()) return;
  by_turn_.erase(found->second);
  turns_.erase(found);
}

void Expectations::expire(TimePoint now) {
  while (!by_turn_.empty() && by_turn_.begin()->second.until <= now) {
    turns_.erase(by_turn_.begin()->second.key);
    by_turn_.erase(by_turn_.begin());
  }
}

std::optional<std::uint64_t> Expectations::turn(ExpertKey key) const {
  const auto found = turns_.find(key);
  return found == turns_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<ExpertKey> Expectations::next(const SlotTable& slots) const {
  for (const auto& [turn, expected] : by_turn_) {
    if (slots.state(expected.key) == Residence::kAbsent) return expected.key;
  }
  return std::nullopt;
}

}  // namespace sida::worker

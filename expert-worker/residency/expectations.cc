#include "expert-worker/residency/expectations.h"

#include <algorithm>
#include <unordered_set>

#include "common/base/result.h"

namespace sida::worker {

void Expectations::expect(ExpertKey key, std::uint32_t rows, Adviser adviser, TimePoint now) {
  const auto known = by_adviser_.find(adviser);
  if (known != by_adviser_.end()) {
    if (const auto use = known->second.find(key); use != known->second.end()) {
      by_turn_.at(use->second).rows += rows;
      return;
    }
  }
  if (by_turn_.size() >= uses_max_) return;
  by_turn_.emplace(++last_turn_, Use{key, rows, adviser, now + life_});
  by_key_[key].insert(last_turn_);
  by_adviser_[adviser].emplace(key, last_turn_);
}

void Expectations::erase(Uses::iterator use) {
  const auto key = by_key_.find(use->second.key);
  key->second.erase(use->first);
  if (key->second.empty()) by_key_.erase(key);
  const auto adviser = by_adviser_.find(use->second.adviser);
  adviser->second.erase(use->second.key);
  if (adviser->second.empty()) by_adviser_.erase(adviser);
  by_turn_.erase(use);
}

void Expectations::forget(Adviser adviser) {
  while (true) {
    const auto found = by_adviser_.find(adviser);
    if (found == by_adviser_.end()) return;
    erase(by_turn_.find(found->second.begin()->second));
  }
}

void Expectations::demand(ExpertKey key, std::uint32_t rows) {
  ++demanded_[key];
  for (bool first = true;; first = false) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return;
    const auto use = by_turn_.find(*found->second.begin());
    if (!first && use->second.rows > rows) return;
    rows -= std::min(rows, use->second.rows);
    erase(use);
  }
}

void Expectations::serve(ExpertKey key) {
  const auto found = demanded_.find(key);
  SIDA_CHECK(found != demanded_.end());
  if (--found->second == 0) demanded_.erase(found);
}

void Expectations::give_up(ExpertKey key) {
  while (true) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return;
    erase(by_turn_.find(*found->second.begin()));
  }
}

void Expectations::expire(TimePoint now) {
  while (!by_turn_.empty() && by_turn_.begin()->second.until <= now) erase(by_turn_.begin());
}

std::optional<std::uint64_t> Expectations::turn(ExpertKey key) const {
  if (demanded_.contains(key)) return 0;
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? std::nullopt : std::optional(*found->second.begin());
}

std::optional<ExpertKey> Expectations::next(const SlotTable& slots) const {
  std::unordered_set<ExpertKey> sooner;
  for (const auto& [turn, use] : by_turn_) {
    if (slots.state(use.key) == Residence::kAbsent && !demanded_.contains(use.key)) return use.key;
    sooner.insert(use.key);
    if (sooner.size() >= slots.slots()) return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace sida::worker

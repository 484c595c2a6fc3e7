#include "expert-worker/residency/expectations.h"

#include <algorithm>
#include <iterator>

#include "common/base/result.h"

namespace sida::worker {

void Expectations::advise(Adviser adviser, const proto::Prefetch& advice, TimePoint now) {
  const auto known = by_adviser_.find(adviser);
  if (known != by_adviser_.end()) {
    if (known->second.step > advice.step) return;
    if (known->second.step < advice.step) forget(adviser);
  }
  for (const proto::Prefetch::Item& item : advice.items) expect(adviser, advice.step, item, now + life_);
}

void Expectations::expect(Adviser adviser, std::uint32_t step, const proto::Prefetch::Item& item, TimePoint until) {
  const auto known = by_adviser_.find(adviser);
  if (known != by_adviser_.end()) {
    if (const auto use = known->second.turns.find(item.key); use != known->second.turns.end()) {
      by_turn_.at(use->second).rows += item.rows;
      return;
    }
  }
  const std::uint64_t turn = ++last_turn_ + (step == 0 ? kFirstTurnOfStep0 : 0);
  if (by_turn_.size() >= uses_max_) {
    // Of another adviser: all uses of one are on the same side of kFirstTurnOfStep0.
    const auto last = by_turn_.empty() ? by_turn_.end() : std::prev(by_turn_.end());
    if (last == by_turn_.end() || last->first < turn) return;
    erase(last);
  }
  Advised& advised = by_adviser_[adviser];
  advised.step = step;
  advised.turns.emplace(item.key, turn);
  by_turn_.emplace(turn, Use{item.key, item.rows, adviser, until});
  std::set<std::uint64_t>& turns = by_key_[item.key];
  if (turns.empty() || turn < *turns.begin()) {
    if (!turns.empty()) first_uses_.erase(*turns.begin());
    first_uses_.emplace(turn, item.key);
  }
  turns.insert(turn);
}

void Expectations::erase(Uses::iterator use) {
  const auto key = by_key_.find(use->second.key);
  key->second.erase(use->first);
  const bool was_first = first_uses_.erase(use->first) > 0;
  if (was_first && !key->second.empty()) first_uses_.emplace(*key->second.begin(), use->second.key);
  if (key->second.empty()) by_key_.erase(key);
  const auto adviser = by_adviser_.find(use->second.adviser);
  adviser->second.turns.erase(use->second.key);
  if (adviser->second.turns.empty()) by_adviser_.erase(adviser);
  by_turn_.erase(use);
}

void Expectations::forget(Adviser adviser) {
  while (true) {
    const auto found = by_adviser_.find(adviser);
    if (found == by_adviser_.end()) return;
    erase(by_turn_.find(found->second.turns.begin()->second));
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
  expire_from(0, now);
  expire_from(kFirstTurnOfStep0, now);
}

void Expectations::expire_from(std::uint64_t first_turn, TimePoint now) {
  while (true) {
    const auto use = by_turn_.lower_bound(first_turn);
    if (use == by_turn_.end() || use->second.until > now) return;
    erase(use);
  }
}

std::optional<std::uint64_t> Expectations::turn(ExpertKey key) const {
  if (demanded_.contains(key)) return 0;
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? std::nullopt : std::optional(*found->second.begin());
}

std::optional<ExpertKey> Expectations::next(const SlotTable& slots) const {
  std::size_t sooner = 0;
  for (const auto& [turn, key] : first_uses_) {
    if (sooner++ >= slots.slots()) return std::nullopt;
    if (slots.state(key) == Residence::kAbsent && !demanded_.contains(key)) return key;
  }
  return std::nullopt;
}

}  // namespace sida::worker

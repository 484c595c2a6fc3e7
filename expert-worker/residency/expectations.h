// When experts are needed, as far as is known: now, by dispatches that wait for them, or later, as routers say.
// Bookkeeping only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "common/base/ids.h"
#include "common/proto/messages.h"
#include "common/runtime/clock.h"
#include "common/transport/control_link.h"
#include "expert-worker/residency/slot_table.h"

namespace sida::worker {

// Who says that an expert will be needed: one sequence of one router.
struct Adviser {
  transport::PeerId peer;
  SequenceId sequence;
  auto operator<=>(const Adviser&) const = default;
};

// One thread.
class Expectations {
 public:
  // Turns below it are those of decoder steps.
  static constexpr std::uint64_t kFirstTurnOfStep0 = std::uint64_t{1} << 63U;

  // Beyond `uses_max` what is needed last is dropped. A use that did not come within `life` is forgotten: predictions
  // may be wrong.
  Expectations(std::size_t uses_max, Duration life) : uses_max_(uses_max), life_(life) {}

  // One more use of each item, in their order and after all that are expected so far; but those of step 0 after all
  // others. What the adviser said of an earlier step is over. A use of the same expert that the same step expects
  // already keeps its place, with so many rows more: it is one dispatch that will want them.
  void advise(Adviser adviser, const proto::Prefetch& advice, TimePoint now);
  // What the adviser expects will not come any more.
  void forget(Adviser adviser);
  // A dispatch with so many rows wants it now, until serve(): the first use that was expected, and those after it whose
  // rows it covers too.
  void demand(ExpertKey key, std::uint32_t rows);
  // One of the dispatches that wanted it has it, or wants it no more.
  void serve(ExpertKey key);
  // It cannot be read: nobody expects it.
  void give_up(ExpertKey key);
  void expire(TimePoint now);

  // Lower: needed sooner; 0: now. Nothing: not as far as is known.
  [[nodiscard]] std::optional<std::uint64_t> turn(ExpertKey key) const;
  // The one expected soonest of those that are neither resident nor on their way nor demanded. Nothing too when so many
  // are expected before it that there will be no slot for it.
  [[nodiscard]] std::optional<ExpertKey> next(const SlotTable& slots) const;
  [[nodiscard]] std::size_t size() const { return by_turn_.size(); }

 private:
  struct Use {
    ExpertKey key;
    std::uint32_t rows = 0;
    Adviser adviser;
    TimePoint until;
  };
  using Uses = std::map<std::uint64_t, Use>;
  void expect(Adviser adviser, std::uint32_t step, const proto::Prefetch::Item& item, TimePoint until);
  void erase(Uses::iterator use);
  void expire_from(std::uint64_t first_turn, TimePoint now);

  const std::size_t uses_max_;
  const Duration life_;
  std::uint64_t last_turn_ = 0;
  Uses by_turn_;  // In order of `until` too, on either side of kFirstTurnOfStep0.
  std::unordered_map<ExpertKey, std::set<std::uint64_t>> by_key_;
  std::map<std::uint64_t, ExpertKey> first_uses_;  // Of each of by_key_: next() is asked after every message.
  struct Advised {
    std::uint32_t step = 0;
    std::map<ExpertKey, std::uint64_t> turns;
  };
  std::map<Adviser, Advised> by_adviser_;                  // Those with uses.
  std::unordered_map<ExpertKey, std::uint32_t> demanded_;  // By how many dispatches.
};

}  // namespace sida::worker

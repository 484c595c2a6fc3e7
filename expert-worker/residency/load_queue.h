// In which order experts are read, piece by piece: what is demanded before what is only expected, each in the order in
// which it came to be so. Decided anew before every piece, so that a demand waits for at most one piece of something
// less wanted; what it overtakes goes on afterwards where it was. No I/O.
#pragma once

#include <optional>
#include <vector>

#include "common/base/ids.h"
#include "expert-worker/residency/slot_table.h"

namespace sida::worker {

struct LoadOrder {
  ExpertKey key;
  SlotId slot;
  bool demanded = false;  // Else only expected.
};

// One thread. Slots name loads: no two under way are into one slot.
class LoadQueue {
 public:
  void add(const LoadOrder& order);
  // It was expected and is demanded now. Nothing happens when it has ended.
  void demand(SlotId slot);
  // False when it is not here (any more).
  bool remove(SlotId slot);

  // Whose next piece is read now.
  [[nodiscard]] std::optional<LoadOrder> next() const;
  [[nodiscard]] bool empty() const { return orders_.empty(); }

 private:
  std::vector<LoadOrder> orders_;  // The demanded ones first.
};

}  // namespace sida::worker

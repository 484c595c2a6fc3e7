#include "expert-worker/residency/load_queue.h"

#include <algorithm>

#include "common/base/result.h"

namespace sida::worker {

void LoadQueue::add(const LoadOrder& order) {
  SIDA_CHECK(std::ranges::find(orders_, order.slot, &LoadOrder::slot) == orders_.end());
  const auto place = order.demanded ? std::ranges::find(orders_, false, &LoadOrder::demanded) : orders_.end();
  orders_.insert(place, order);
}

void LoadQueue::demand(SlotId slot) {
  const auto found = std::ranges::find(orders_, slot, &LoadOrder::slot);
  if (found == orders_.end() || found->demanded) return;
  LoadOrder order = *found;
  order.demanded = true;
  orders_.erase(found);
  add(order);
}

bool LoadQueue::remove(SlotId slot) {
  return std::erase_if(orders_, [&](const LoadOrder& order) { return order.slot == slot; }) > 0;
}

std::optional<LoadOrder> LoadQueue::next() const {
  return orders_.empty() ? std::nullopt : std::optional(orders_.front());
}

}  // namespace sida::worker

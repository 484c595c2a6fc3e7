#include "expert-worker/residency/share.h"

#include <algorithm>

namespace sida::worker {

void Share::replace_members(std::span<const proto::Member> members, WorkerId self, std::uint32_t slots) {
  const placement::Owners owners(
      members, static_cast<std::uint64_t>(moe_layers_) * static_cast<std::uint64_t>(experts_per_layer_));
  order_.clear();
  for (std::int32_t layer = 0; layer < moe_layers_; ++layer) {
    for (std::int32_t expert = 0; expert < experts_per_layer_; ++expert) {
      const ExpertKey key{LayerId{layer}, ExpertId{expert}};
      const std::vector<WorkerId> order = owners.of(key);
      if (!order.empty() && order.front() == self) order_.push_back(key);
    }
  }
  const auto rows = [&](ExpertKey key) {
    auto found = rows_wanted_.find(key);
    return found == rows_wanted_.end() ? 0 : found->second;
  };
  std::ranges::stable_sort(order_, std::ranges::greater{}, rows);
  own_ = {order_.begin(), order_.end()};
  if (order_.size() > slots) order_.resize(slots);
  next_own_ = 0;
  unreadable_.clear();
}

std::optional<ExpertKey> Share::next_own(const SlotTable& slots) {
  for (; next_own_ < order_.size(); ++next_own_) {
    const ExpertKey key = order_[next_own_];
    if (slots.state(key) == Residence::kAbsent && !unreadable_.contains(key)) return key;
  }
  return std::nullopt;
}

}  // namespace sida::worker

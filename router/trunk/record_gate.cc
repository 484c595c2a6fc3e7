#include "router/trunk/record_gate.h"

#include <algorithm>
#include <numeric>

namespace sida::router {

GateRecord record_gate(std::size_t rows, std::span<const std::int32_t> asked, std::span<const std::int32_t> choice,
                       std::span<const float> probabilities) {
  GateRecord record;
  if (asked.empty()) return record;
  const std::size_t experts = probabilities.size() / asked.size();
  record.top = std::min(experts, static_cast<std::size_t>(kGateTopMax));
  record.choice.assign(rows, -1);
  record.experts.assign(rows * record.top, -1);
  record.probabilities.assign(rows * record.top, 0);
  std::vector<std::int16_t> order(experts);
  for (std::size_t index = 0; index < asked.size(); ++index) {
    const auto of_row = probabilities.subspan(index * experts, experts);
    const auto probability = [&](std::int16_t expert) { return of_row[static_cast<std::size_t>(expert)]; };
    std::iota(order.begin(), order.end(), std::int16_t{0});
    const auto end = order.begin() + static_cast<std::ptrdiff_t>(record.top);
    std::partial_sort(order.begin(), end, order.end(), [&](std::int16_t a, std::int16_t b) {
      return probability(a) != probability(b) ? probability(a) > probability(b) : a < b;
    });
    const auto row = static_cast<std::size_t>(asked[index]);
    record.choice[row] = static_cast<std::int16_t>(choice[index]);
    const auto first = static_cast<std::ptrdiff_t>(row * record.top);
    std::copy(order.begin(), end, record.experts.begin() + first);
    std::transform(order.begin(), end, record.probabilities.begin() + first, probability);
  }
  return record;
}

GateRecord record_certain(std::span<const std::int32_t> choice, std::size_t experts) {
  GateRecord record;
  record.top = std::min(experts, static_cast<std::size_t>(kGateTopMax));
  for (const std::int32_t expert : choice) {
    const auto chosen = static_cast<std::int16_t>(expert);
    record.choice.push_back(chosen);
    record.experts.push_back(chosen);
    record.probabilities.push_back(1);
    record.probabilities.insert(record.probabilities.end(), record.top - 1, 0.0F);
    std::int16_t next = 0;
    for (std::size_t rank = 1; rank < record.top; ++rank, ++next) {
      if (next == chosen) ++next;
      record.experts.push_back(next);
    }
  }
  return record;
}

}  // namespace sida::router

// What the gate of one MoE layer thought of some tokens: its choice, and its largest probabilities.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace sida::router {

// Probabilities kept per token: as many as a trace holds (common/trace/traced_sequence.h).
inline constexpr std::int64_t kGateTopMax = 30;

struct GateRecord {
  std::size_t top = 0;                // kGateTopMax, or all experts where there are fewer.
  std::vector<std::int16_t> choice;   // [tokens], also where capacity then dropped the token.
  std::vector<std::int16_t> experts;  // [tokens, top], best first; of equal ones the lower id.
  std::vector<float> probabilities;   // [tokens, top], of the softmax over all experts, in fp32.

  void append(const GateRecord& more) {
    top = more.top;
    choice.insert(choice.end(), more.choice.begin(), more.choice.end());
    experts.insert(experts.end(), more.experts.begin(), more.experts.end());
    probabilities.insert(probabilities.end(), more.probabilities.begin(), more.probabilities.end());
  }

  // Tokens [first, first + count); an empty record stays empty.
  [[nodiscard]] GateRecord cut(std::size_t first, std::size_t count) const {
    if (top == 0) return {};
    const auto part = [](const auto& all, std::size_t begin, std::size_t size) {
      const auto from = all.begin() + static_cast<std::ptrdiff_t>(begin);
      return std::decay_t<decltype(all)>(from, from + static_cast<std::ptrdiff_t>(size));
    };
    return {top, part(choice, first, count), part(experts, first * top, count * top),
            part(probabilities, first * top, count * top)};
  }
};

}  // namespace sida::router

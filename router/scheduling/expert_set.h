// Which experts a sequence's source will use, over all MoE layers of the encoder: one bit each.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sida::router {

class ExpertSet {
 public:
  ExpertSet() = default;
  // Empty, for bits [0, experts): layer by layer. Sets that meet have the same size.
  explicit ExpertSet(std::size_t experts) : words_((experts + 63) / 64) {}

  void add(std::size_t expert) { words_[expert / 64] |= std::uint64_t{1} << (expert % 64); }
  void add(const ExpertSet& more) {
    words_.resize(std::max(words_.size(), more.words_.size()));
    for (std::size_t word = 0; word < more.words_.size(); ++word) words_[word] |= more.words_[word];
  }

  // In ascending order.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (std::size_t word = 0; word < words_.size(); ++word) {
      for (std::uint64_t left = words_[word]; left != 0; left &= left - 1) {
        visit(word * 64 + static_cast<std::size_t>(std::countr_zero(left)));
      }
    }
  }

  [[nodiscard]] std::size_t size() const {
    std::size_t count = 0;
    for (const std::uint64_t word : words_) count += static_cast<std::size_t>(std::popcount(word));
    return count;
  }
  // Experts in both.
  [[nodiscard]] std::size_t shared_with(const ExpertSet& other) const {
    std::size_t count = 0;
    for (std::size_t word = 0; word < std::min(words_.size(), other.words_.size()); ++word) {
      count += static_cast<std::size_t>(std::popcount(words_[word] & other.words_[word]));
    }
    return count;
  }
  bool operator==(const ExpertSet&) const = default;

 private:
  std::vector<std::uint64_t> words_;
};

}  // namespace sida::router

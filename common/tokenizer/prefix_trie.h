// A static trie over bytes that finds every string of a set which starts at a given place of a text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace sida::tokenizer {

// Immutable after construction. Nodes lie in breadth-first order, the children of one side by side and sorted.
class PrefixTrie {
 public:
  // (string, value >= 0). Of a string that occurs several times the last value counts; empty strings are never found.
  explicit PrefixTrie(std::vector<std::pair<std::string_view, std::int32_t>> entries);

  // Calls found(length, value) for each string that `text` has at `position`, the shortest first.
  template <typename Found>
  void match(std::string_view text, std::size_t position, Found&& found) const {
    std::uint32_t node = 0;
    for (std::size_t i = position; i < text.size(); ++i) {
      node = child(node, static_cast<unsigned char>(text[i]));
      if (node == kNone) {
        return;
      }
      if (nodes_[node].value >= 0) {
        found(i + 1 - position, nodes_[node].value);
      }
    }
  }

  [[nodiscard]] bool empty() const { return nodes_[0].child_count == 0; }

 private:
  static constexpr std::uint32_t kNone = 0;  // The root is nobody's child.

  struct Node {
    std::uint32_t first_child = kNone;
    std::uint16_t child_count = 0;
    unsigned char label = 0;
    std::int32_t value = -1;
  };

  [[nodiscard]] std::uint32_t child(std::uint32_t parent, unsigned char label) const {
    std::uint32_t first = nodes_[parent].first_child;
    std::uint32_t count = nodes_[parent].child_count;
    while (count > 0) {
      const std::uint32_t half = count / 2;
      const unsigned char middle = nodes_[first + half].label;
      if (middle == label) {
        return first + half;
      }
      if (middle < label) {
        first += half + 1;
        count -= half + 1;
      } else {
        count = half;
      }
    }
    return kNone;
  }

  std::vector<Node> nodes_;
};

}  // namespace sida::tokenizer

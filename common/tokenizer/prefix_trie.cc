#include "common/tokenizer/prefix_trie.h"

#include <algorithm>

namespace sida::tokenizer {

PrefixTrie::PrefixTrie(std::vector<std::pair<std::string_view, std::int32_t>> entries) {
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  // One per node: the entries that share its prefix, and the prefix's length.
  struct Range {
    std::size_t begin;
    std::size_t end;
    std::size_t depth;
  };
  std::vector<Range> ranges = {{0, entries.size(), 0}};
  nodes_.emplace_back();
  for (std::size_t node = 0; node < ranges.size(); ++node) {
    auto [begin, end, depth] = ranges[node];
    for (; begin < end && entries[begin].first.size() == depth; ++begin) {
      nodes_[node].value = depth == 0 ? -1 : entries[begin].second;
    }
    nodes_[node].first_child = static_cast<std::uint32_t>(nodes_.size());
    while (begin < end) {
      const char label = entries[begin].first[depth];
      std::size_t next = begin;
      while (next < end && entries[next].first[depth] == label) {
        ++next;
      }
      ++nodes_[node].child_count;
      nodes_.push_back({.label = static_cast<unsigned char>(label)});
      ranges.push_back({begin, next, depth + 1});
      begin = next;
    }
  }
}

}  // namespace sida::tokenizer

// A character map in SentencePiece's layout, made for tests: a trie of single-byte and longer keys.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace sida::tokenizer::testing {

struct CharsmapRule {
  std::string key;
  std::string replacement;
};

// Places the children of each node at a block of 256 of its own: wasteful, and simple.
class CharsmapBuilder {
 public:
  explicit CharsmapBuilder(const std::vector<CharsmapRule>& rules) {
    units_.resize(2 * kBlock, 0);
    set_offset(0, kBlock);
    for (const auto& [key, replacement] : rules) {
      add(key, static_cast<std::uint32_t>(replacements_.size()));
      replacements_ += replacement + '\0';
    }
  }

  [[nodiscard]] std::string bytes() const {
    const auto size = static_cast<std::uint32_t>(units_.size() * sizeof(std::uint32_t));
    std::string result(sizeof size + size, '\0');
    std::memcpy(result.data(), &size, sizeof size);
    std::memcpy(result.data() + sizeof size, units_.data(), size);
    return result + replacements_;
  }

 private:
  static constexpr std::uint32_t kBlock = 256;

  void set_offset(std::size_t node, std::size_t children) {
    // Offsets of 2^21 and more are stored in units of 256; blocks of 256 never need the shorter form.
    const auto offset = static_cast<std::uint32_t>(node ^ children);
    units_[node] = (units_[node] & 0x1FF) | offset << 10;
  }

  // The block of the children of `node`; a node's place within its parent's block is its label.
  std::size_t children(std::size_t node) {
    const std::uint32_t offset = units_[node] >> 10;
    if (offset == 0) {
      const std::size_t block = units_.size();
      units_.resize(block + kBlock, 0);
      set_offset(node, block);
      return block;
    }
    return node ^ offset;
  }

  void add(const std::string& key, std::uint32_t value) {
    std::size_t node = 0;
    for (const char c : key) {
      node = children(node) ^ static_cast<unsigned char>(c);
      units_[node] |= static_cast<unsigned char>(c);
    }
    const std::size_t block = children(node);
    units_[node] |= 1U << 8;
    units_[block] = value | 1U << 31;
  }

  std::vector<std::uint32_t> units_;
  std::string replacements_;
};

inline std::string charsmap_bytes(const std::vector<CharsmapRule>& rules) {
  return CharsmapBuilder(rules).bytes();
}

}  // namespace sida::tokenizer::testing

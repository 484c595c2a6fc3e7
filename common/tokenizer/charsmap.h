// The character map that SentencePiece files carry as `precompiled_charsmap`: a double-array trie (Darts-clone's
// layout) from byte strings to replacements.
//
// Layout: u32 size of the trie in bytes, little-endian; the trie's units, u32 each; the replacements, each ended by a
// zero byte, to which the trie's values are offsets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/tokenizer/normalized_text.h"

namespace sida::tokenizer {

// Immutable after reading.
class Charsmap {
 public:
  // No replacement may be longer: Unicode's longest compatibility mapping has 33 bytes.
  static constexpr std::size_t kReplacementBytesMax = 256;

  // kInvalidModel unless every value that a lookup could reach is a replacement in range.
  static Result<Charsmap> read(std::string_view bytes);

  // Maps grapheme clusters of fewer than six bytes as a whole, and otherwise code point by code point. As in
  // SentencePiece's Rust port (spm_precompiled), which the tokenizers package uses, the shortest key that a cluster
  // starts with decides, and what follows that key in the cluster is dropped.
  void normalize(NormalizedText& text) const;

  // Worst growth of a text, in bytes per byte.
  [[nodiscard]] std::size_t growth() const { return growth_; }

 private:
  Charsmap(std::vector<std::uint32_t> units, std::string replacements);

  // The replacement of the shortest key that `chunk` starts with.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view chunk) const;
  [[nodiscard]] std::string_view replacement_at(std::size_t offset) const;
  Result<void> check_values();

  std::vector<std::uint32_t> units_;
  std::string replacements_;  // Valid UTF-8.
  std::size_t growth_ = 1;
};

}  // namespace sida::tokenizer

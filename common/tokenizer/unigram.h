// The Unigram model (Kudo 2018, arXiv 1804.10959): the segmentation of a word into pieces with the highest sum of
// scores.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/result.h"
#include "common/tokenizer/prefix_trie.h"

namespace sida::tokenizer {

struct Piece {
  std::string text;  // Valid UTF-8.
  double score = 0;  // Natural logarithm of its probability; finite.
};

// Immutable after `make`. Segments as the tokenizers package does, ties and double arithmetic included: paths are
// extended from left to right, shorter pieces first, and only a strictly better score replaces an earlier one.
class Unigram {
 public:
  // Time per byte of text is bounded by the longest piece.
  static constexpr std::size_t kPieceBytesMax = 1024;
  static constexpr std::size_t kVocabularyBytesMax = std::size_t{8} << 20;

  // The id of a piece is its place. kInvalidModel where a piece breaks the limits or `unknown_id` is none.
  static Result<Unigram> make(std::vector<Piece> pieces, std::int64_t unknown_id, bool byte_fallback);

  // Movable only: the map points into the pieces.
  Unigram(Unigram&&) = default;
  Unigram& operator=(Unigram&&) = default;
  Unigram(const Unigram&) = delete;
  Unigram& operator=(const Unigram&) = delete;

  // Appends the ids of `word` (valid UTF-8). A code point in no piece is unknown; neighbouring unknowns are one token,
  // or with byte fallback the tokens of their bytes where all of these exist.
  void encode(std::string_view word, std::vector<std::int32_t>& ids) const;

  [[nodiscard]] const std::vector<Piece>& pieces() const { return pieces_; }
  [[nodiscard]] std::optional<std::int32_t> find(std::string_view piece) const;

 private:
  Unigram(std::vector<Piece> pieces, std::int32_t unknown_id, bool byte_fallback);

  struct Node;
  [[nodiscard]] std::vector<Node> best_paths(std::string_view word) const;
  void append_unknown(std::string_view text, std::vector<std::int32_t>& ids) const;

  std::vector<Piece> pieces_;
  std::unordered_map<std::string_view, std::int32_t> ids_;  // Of equal pieces the last.
  PrefixTrie trie_;
  std::int32_t unknown_id_ = 0;
  double unknown_score_ = 0;
  // Tokens <0x00> to <0xFF>, -1 where absent; empty without byte fallback.
  std::vector<std::int32_t> byte_ids_;
};

}  // namespace sida::tokenizer

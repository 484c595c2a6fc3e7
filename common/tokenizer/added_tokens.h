// Tokens beside the model's vocabulary: sentinels, end, padding. They are cut out of the prompt before anything else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/result.h"
#include "common/tokenizer/normalizer.h"
#include "common/tokenizer/prefix_trie.h"
#include "common/tokenizer/unigram.h"

namespace sida::tokenizer {

struct AddedToken {
  std::string content;       // Not empty, valid UTF-8.
  std::int32_t id = 0;       // As the file says, or -1 to be given.
  bool special = false;      // Left out by decoding with skip_special_tokens.
  bool left_strip = false;   // Takes white space before it along.
  bool right_strip = false;  // Takes white space behind it along.
  bool single_word = false;  // Only where no word character is its neighbour.
  bool normalized = false;   // Its normalised content is looked for in the normalised text.
};

// A stretch of text; with an id it is that added token.
struct Stretch {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::optional<std::int32_t> id;
};

// Immutable after `make`.
class AddedTokens {
 public:
  static constexpr std::size_t kContentBytesMax = 1024;
  // Of all tokens together, as they are looked for.
  static constexpr std::size_t kContentsBytesMax = std::size_t{1} << 20;

  // A token that the model has as a piece has the piece's id, any other the next free one. kInvalidModel where a token
  // breaks the rules above, occurs twice, or has another id in the file.
  static Result<AddedTokens> make(std::vector<AddedToken> tokens, const Unigram& model,
                                  const std::vector<NormalizerStep>& normalizer);

  // `text` cut around the tokens of one kind (`normalized` or not), the leftmost and there the longest first. The
  // stretches cover it.
  [[nodiscard]] std::vector<Stretch> split(std::string_view text, bool normalized) const;

  // nullptr for an id that is none of these.
  [[nodiscard]] const AddedToken* find(std::int32_t id) const;
  [[nodiscard]] std::optional<std::int32_t> find(std::string_view content) const;
  [[nodiscard]] bool is_special(std::string_view content) const;
  [[nodiscard]] const std::vector<AddedToken>& all() const { return tokens_; }

 private:
  explicit AddedTokens(std::vector<AddedToken> tokens, const std::vector<std::string>& normalized_contents);

  std::vector<AddedToken> tokens_;
  std::unordered_map<std::int32_t, std::size_t> by_id_;
  std::unordered_map<std::string, std::size_t> by_content_;
  PrefixTrie plain_;       // To places in tokens_.
  PrefixTrie normalized_;  // The same, by normalised content.
};

}  // namespace sida::tokenizer

// Extended grapheme clusters (Unicode Standard Annex 29), which the character map of SentencePiece files is applied to.
#pragma once

#include <cstddef>
#include <string_view>

namespace sida::tokenizer {

// Where the cluster that starts at `begin` ends. `text` is valid UTF-8 and `begin` < text.size() a cluster's start; the
// rules never look behind it, so a whole text is walked in linear time.
[[nodiscard]] std::size_t grapheme_end(std::string_view text, std::size_t begin);

}  // namespace sida::tokenizer

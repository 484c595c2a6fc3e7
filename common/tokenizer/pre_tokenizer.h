// The pre-tokeniser of a tokeniser file: steps that cut a normalised piece of the prompt into words.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "common/tokenizer/normalized_text.h"

namespace sida::tokenizer {

// Cuts at each white-space character and drops it.
struct WhitespaceSplitStep {};

enum class PrependScheme { kAlways, kFirst, kNever };

// Spaces become `replacement`, which is also put before the piece unless it is there already: always, or only where the
// piece is the prompt's first, or never. With `split`, a new word starts at each replacement.
struct MetaspaceStep {
  std::string replacement = "\u2581";  // One code point.
  PrependScheme scheme = PrependScheme::kAlways;
  bool split = true;
};

using PreTokenizerStep = std::variant<WhitespaceSplitStep, MetaspaceStep>;

// The words of `text` in order; none is empty.
[[nodiscard]] std::vector<NormalizedText> pre_tokenize(const std::vector<PreTokenizerStep>& steps, NormalizedText text);

// Bytes that one byte of a text can become at most, in all words together.
[[nodiscard]] double growth(const std::vector<PreTokenizerStep>& steps);

}  // namespace sida::tokenizer

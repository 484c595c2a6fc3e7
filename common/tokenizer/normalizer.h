// The normaliser of a tokeniser file: steps that change the text of one piece of the prompt, in their order.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "common/tokenizer/charsmap.h"
#include "common/tokenizer/normalized_text.h"

namespace sida::tokenizer {

struct StripStep {
  bool left = true;
  bool right = true;
};

// Every occurrence, from the left, without overlap.
struct ReplaceStep {
  std::string pattern;  // Not empty.
  std::string content;
};

// Every run of at least `minimum` times the character `repeated`: the regular expression "c{n,}".
struct ReplaceRunStep {
  char repeated = ' ';  // ASCII.
  std::size_t minimum = 2;
  std::string content;
};

// Nothing is put before an empty text.
struct PrependStep {
  std::string text;
};

// What SentencePiece's nmt rules do to control characters and unusual spaces.
struct NmtStep {};

using NormalizerStep =
    std::variant<StripStep, ReplaceStep, ReplaceRunStep, PrependStep, NmtStep, std::shared_ptr<const Charsmap>>;

void normalize(const std::vector<NormalizerStep>& steps, NormalizedText& text);

// Bytes that one byte of a text, which is not empty, can become at most.
[[nodiscard]] double growth(const std::vector<NormalizerStep>& steps);

// `pattern` in `text` replaced by `content`, each occurrence from the left. `pattern` is not empty.
[[nodiscard]] std::string replaced(std::string_view text, std::string_view pattern, std::string_view content);

}  // namespace sida::tokenizer

// A piece of the prompt while it is being normalised and split.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace sida::tokenizer {

// Valid UTF-8, and as much of its alignment to the prompt as anything depends on: Metaspace with the scheme "first"
// asks whether a piece begins where the prompt begins.
struct NormalizedText {
  std::string bytes;
  bool at_start = false;  // The piece was cut where the prompt begins.
  std::size_t head = 0;   // Leading bytes that stem from the prompt's first code point; 0 unless `at_start`.

  static NormalizedText whole(std::string prompt);

  // Bytes [begin, end), both at boundaries.
  [[nodiscard]] NormalizedText slice(std::size_t begin, std::size_t end) const;

  void erase_front(std::size_t count);
  void erase_back(std::size_t count);
  void prepend(std::string_view text);
};

// One code point of a changed text. `change` says what it stands for: 0 for the next old code point, 1 for none (it is
// new), -n for the next and the n after it.
struct ChangedCodePoint {
  char32_t code_point = 0;
  std::ptrdiff_t change = 0;
};

// The whole text anew from its changed code points.
[[nodiscard]] NormalizedText transformed(const NormalizedText& old, std::span<const ChangedCodePoint> changed);

}  // namespace sida::tokenizer

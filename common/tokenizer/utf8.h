// UTF-8 as this folder uses it: untrusted bytes become valid UTF-8 once, and everything after works on valid text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sida::tokenizer {

struct CodePoint {
  char32_t value = 0;
  std::size_t size = 0;  // Bytes, 1 to 4.
};

[[nodiscard]] bool is_valid_utf8(std::string_view bytes);

// Each maximal ill-formed part becomes one U+FFFD, as the Unicode standard recommends (section 3.9, "U+FFFD
// Substitution of Maximal Subparts") and Python's bytes.decode(errors="replace") does.
[[nodiscard]] std::string decode_with_replacement(std::string_view bytes);

// The code point that starts at `position`. `text` must be valid UTF-8 and `position` one of its boundaries.
[[nodiscard]] CodePoint code_point_at(std::string_view text, std::size_t position);

// The code point that ends at `end` (> 0), under the same conditions.
[[nodiscard]] CodePoint code_point_before(std::string_view text, std::size_t end);

// True between two code points of valid UTF-8, and at both ends.
[[nodiscard]] bool is_boundary(std::string_view text, std::size_t position);

void append_utf8(std::string& text, char32_t code_point);

// Unicode's White_Space property.
[[nodiscard]] bool is_whitespace(char32_t code_point);

// What \w matches.
[[nodiscard]] bool is_word_character(char32_t code_point);

}  // namespace sida::tokenizer

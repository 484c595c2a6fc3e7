#include "common/tokenizer/utf8.h"

#include <algorithm>

#include "common/tokenizer/unicode_tables.h"

namespace sida::tokenizer {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

unsigned char byte_at(std::string_view bytes, std::size_t position) {
  return static_cast<unsigned char>(bytes[position]);
}

struct Sequence {
  std::size_t size = 1;  // Bytes of the sequence, or of its maximal ill-formed part.
  bool valid = false;
};

// Table 3-7 of the Unicode standard: the second byte's range depends on the first, later ones are 80 to BF.
Sequence sequence_at(std::string_view bytes, std::size_t position) {
  const unsigned char lead = byte_at(bytes, position);
  if (lead < 0x80) {
    return {1, true};
  }
  if (lead < 0xC2 || lead > 0xF4) {
    return {1, false};
  }
  const std::size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (std::size_t i = 1; i < size; ++i) {
    if (position + i >= bytes.size() || byte_at(bytes, position + i) < low || byte_at(bytes, position + i) > high) {
      return {i, false};
    }
    low = 0x80;
    high = 0xBF;
  }
  return {size, true};
}

}  // namespace

bool is_valid_utf8(std::string_view bytes) {
  for (std::size_t position = 0; position < bytes.size();) {
    const Sequence sequence = sequence_at(bytes, position);
    if (!sequence.valid) {
      return false;
    }
    position += sequence.size;
  }
  return true;
}

std::string decode_with_replacement(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (std::size_t position = 0; position < bytes.size();) {
    const Sequence sequence = sequence_at(bytes, position);
    text.append(sequence.valid ? bytes.substr(position, sequence.size) : kReplacement);
    position += sequence.size;
  }
  return text;
}

CodePoint code_point_at(std::string_view text, std::size_t position) {
  const char32_t lead = byte_at(text, position);
  const auto continuation = [&](std::size_t i) { return static_cast<char32_t>(byte_at(text, position + i) & 0x3F); };
  if (lead < 0x80) {
    return {lead, 1};
  }
  if (lead < 0xE0) {
    return {(lead & 0x1F) << 6 | continuation(1), 2};
  }
  if (lead < 0xF0) {
    return {(lead & 0x0F) << 12 | continuation(1) << 6 | continuation(2), 3};
  }
  return {(lead & 0x07) << 18 | continuation(1) << 12 | continuation(2) << 6 | continuation(3), 4};
}

CodePoint code_point_before(std::string_view text, std::size_t end) {
  std::size_t position = end - 1;
  while (!is_boundary(text, position)) {
    --position;
  }
  return code_point_at(text, position);
}

bool is_boundary(std::string_view text, std::size_t position) {
  return position >= text.size() || (byte_at(text, position) & 0xC0) != 0x80;
}

void append_utf8(std::string& text, char32_t code_point) {
  const auto push = [&](char32_t bits) { text.push_back(static_cast<char>(bits)); };
  if (code_point < 0x80) {
    push(code_point);
  } else if (code_point < 0x800) {
    push(0xC0 | code_point >> 6);
    push(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    push(0xE0 | code_point >> 12);
    push(0x80 | (code_point >> 6 & 0x3F));
    push(0x80 | (code_point & 0x3F));
  } else {
    push(0xF0 | code_point >> 18);
    push(0x80 | (code_point >> 12 & 0x3F));
    push(0x80 | (code_point >> 6 & 0x3F));
    push(0x80 | (code_point & 0x3F));
  }
}

bool is_whitespace(char32_t code_point) {
  return (code_point >= 0x09 && code_point <= 0x0D) || code_point == 0x20 || code_point == 0x85 || code_point == 0xA0 ||
         code_point == 0x1680 || (code_point >= 0x2000 && code_point <= 0x200A) || code_point == 0x2028 ||
         code_point == 0x2029 || code_point == 0x202F || code_point == 0x205F || code_point == 0x3000;
}

bool is_word_character(char32_t code_point) {
  const auto ranges = word_ranges();
  const auto range = std::lower_bound(ranges.begin(), ranges.end(), code_point,
                                      [](const CodePointRange& r, char32_t value) { return r.last < value; });
  return range != ranges.end() && range->first <= code_point;
}

}  // namespace sida::tokenizer

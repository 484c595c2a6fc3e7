// Properties of code points, as tables made from the Unicode Character Database by make_unicode_tables.py.
#pragma once

#include <cstdint>
#include <span>

namespace sida::tokenizer {

// Grapheme_Cluster_Break, with what rules GB9c and GB11 need folded in. kLinker is a kExtend that joins consonants.
enum class GraphemeClass : std::uint8_t {
  kAny,
  kCr,
  kLf,
  kControl,
  kExtend,
  kLinker,
  kZwj,
  kSpacingMark,
  kPrepend,
  kRegionalIndicator,
  kExtendedPictographic,
  kConsonant,
  kL,
  kV,
  kT,
  kLV,
  kLVT,
};

struct CodePointRange {
  char32_t first;
  char32_t last;
};

struct GraphemeRange {
  char32_t first;
  char32_t last;
  GraphemeClass grapheme_class;
};

// Sorted, without overlap. Hangul syllables (U+AC00 to U+D7A3) are left out: their class follows from the code point.
std::span<const GraphemeRange> grapheme_ranges();

// Sorted, without overlap: what \w matches (Unicode TR18 Annex C).
std::span<const CodePointRange> word_ranges();

}  // namespace sida::tokenizer

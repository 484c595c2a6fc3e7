#include "common/tokenizer/grapheme.h"

#include <algorithm>

#include "common/tokenizer/unicode_tables.h"
#include "common/tokenizer/utf8.h"

namespace sida::tokenizer {
namespace {

using enum GraphemeClass;

constexpr char32_t kFirstHangulSyllable = 0xAC00;
constexpr char32_t kLastHangulSyllable = 0xD7A3;
constexpr char32_t kHangulFinalCount = 28;
constexpr char32_t kZeroWidthNonJoiner = 0x200C;

GraphemeClass class_of(char32_t code_point) {
  if (code_point >= 0x20 && code_point <= 0x7E) {
    return kAny;
  }
  if (code_point >= kFirstHangulSyllable && code_point <= kLastHangulSyllable) {
    return (code_point - kFirstHangulSyllable) % kHangulFinalCount == 0 ? kLV : kLVT;
  }
  const auto ranges = grapheme_ranges();
  const auto range = std::lower_bound(ranges.begin(), ranges.end(), code_point,
                                      [](const GraphemeRange& r, char32_t value) { return r.last < value; });
  return range != ranges.end() && range->first <= code_point ? range->grapheme_class : kAny;
}

bool is_control(GraphemeClass c) {
  return c == kControl || c == kCr || c == kLf;
}
bool is_extend(GraphemeClass c) {
  return c == kExtend || c == kLinker;
}

// What of the cluster so far decides the rules that look further back than one code point.
struct Context {
  GraphemeClass before = kAny;
  bool consonant = false;         // GB9c: consonant, then only linkers and extenders.
  bool linker = false;            // GB9c: and one of them is a linker.
  bool pictographic = false;      // GB11: pictograph, then only extenders.
  bool pictographic_zwj = false;  // GB11: and then, last, a joiner.
  bool odd_regional = false;      // GB12, GB13.
};

void advance(Context& context, char32_t code_point, GraphemeClass c) {
  const bool extends = is_extend(c) || c == kZwj;
  context.pictographic_zwj = c == kZwj && context.pictographic;
  context.pictographic = c == kExtendedPictographic || (is_extend(c) && context.pictographic);
  // The non-joiner is an extender of clusters, but not one of those that GB9c looks through.
  const bool keeps_consonant = extends && code_point != kZeroWidthNonJoiner;
  context.linker = keeps_consonant && (context.linker || c == kLinker);
  context.consonant = c == kConsonant || (keeps_consonant && context.consonant);
  context.odd_regional = c == kRegionalIndicator && !context.odd_regional;
  context.before = c;
}

// The rules in their order, GB3 to GB999.
bool breaks(const Context& context, GraphemeClass after) {
  const GraphemeClass before = context.before;
  if (before == kCr && after == kLf) {
    return false;
  }
  if (is_control(before) || is_control(after)) {
    return true;
  }
  if (before == kL && (after == kL || after == kV || after == kLV || after == kLVT)) {
    return false;
  }
  if ((before == kLV || before == kV) && (after == kV || after == kT)) {
    return false;
  }
  if ((before == kLVT || before == kT) && after == kT) {
    return false;
  }
  if (is_extend(after) || after == kZwj || after == kSpacingMark || before == kPrepend) {
    return false;
  }
  if (after == kConsonant) {
    return !(context.consonant && context.linker);
  }
  if (after == kExtendedPictographic) {
    return !context.pictographic_zwj;
  }
  if (after == kRegionalIndicator) {
    return !context.odd_regional;
  }
  return true;
}

}  // namespace

std::size_t grapheme_end(std::string_view text, std::size_t begin) {
  Context context;
  const CodePoint first = code_point_at(text, begin);
  advance(context, first.value, class_of(first.value));
  std::size_t position = begin + first.size;
  while (position < text.size()) {
    const CodePoint next = code_point_at(text, position);
    const GraphemeClass next_class = class_of(next.value);
    if (breaks(context, next_class)) {
      break;
    }
    advance(context, next.value, next_class);
    position += next.size;
  }
  return position;
}

}  // namespace sida::tokenizer

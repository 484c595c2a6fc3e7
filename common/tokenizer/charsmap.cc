#include "common/tokenizer/charsmap.h"

#include <algorithm>
#include <utility>

#include "common/tokenizer/grapheme.h"
#include "common/tokenizer/utf8.h"

namespace sida::tokenizer {
namespace {

constexpr std::size_t kUnitBytes = 4;
// "If a cluster is short enough": the rule and its number are SentencePiece's Rust port's.
constexpr std::size_t kWholeClusterBytesMax = 5;

// Fields of a Darts-clone unit.
constexpr std::uint32_t kValueFlag = std::uint32_t{1} << 31;
bool is_value(std::uint32_t unit) {
  return (unit & kValueFlag) != 0;
}
std::uint32_t value_of(std::uint32_t unit) {
  return unit & ~kValueFlag;
}
bool has_leaf(std::uint32_t unit) {
  return (unit >> 8 & 1) != 0;
}
std::uint32_t label_of(std::uint32_t unit) {
  return unit & (kValueFlag | 0xFF);
}
std::size_t offset_of(std::uint32_t unit) {
  return std::size_t{unit >> 10} << ((unit & 1U << 9) >> 6);
}

std::uint32_t read_unit(std::string_view bytes, std::size_t position) {
  std::uint32_t unit = 0;
  for (std::size_t i = 0; i < kUnitBytes; ++i) {
    unit |= std::uint32_t{static_cast<unsigned char>(bytes[position + i])} << (8 * i);
  }
  return unit;
}

// Appends `replacement` for `replaced`, in the terms of ChangedCodePoint.
void append(std::vector<ChangedCodePoint>& changed, std::string_view replaced, std::string_view replacement) {
  const auto count = [](std::string_view text) {
    return std::count_if(text.begin(), text.end(),
                         [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  };
  for (std::size_t position = 0; position < replacement.size();) {
    const CodePoint c = code_point_at(replacement, position);
    changed.push_back({c.value, 0});
    position += c.size;
  }
  const std::ptrdiff_t difference = count(replacement) - count(replaced);
  if (difference < 0 && !changed.empty()) {
    changed.back().change += difference;
  }
  for (std::ptrdiff_t i = 1; i <= difference; ++i) {
    changed[changed.size() - static_cast<std::size_t>(i)].change = 1;
  }
}

}  // namespace

Charsmap::Charsmap(std::vector<std::uint32_t> units, std::string replacements)
    : units_(std::move(units)), replacements_(std::move(replacements)) {}

Result<Charsmap> Charsmap::read(std::string_view bytes) {
  if (bytes.size() < kUnitBytes) {
    return fail(ErrorCode::kInvalidModel, "character map: shorter than its size field");
  }
  const std::size_t unit_count = read_unit(bytes, 0) / kUnitBytes;
  if (unit_count == 0 || unit_count > bytes.size() / kUnitBytes - 1) {
    return fail(ErrorCode::kInvalidModel, "character map: its trie does not fit into it");
  }
  std::vector<std::uint32_t> units(unit_count);
  for (std::size_t i = 0; i < unit_count; ++i) {
    units[i] = read_unit(bytes, (i + 1) * kUnitBytes);
  }
  const std::string_view replacements = bytes.substr((unit_count + 1) * kUnitBytes);
  if (!is_valid_utf8(replacements)) {
    return fail(ErrorCode::kInvalidModel, "character map: a replacement is not UTF-8");
  }
  Charsmap charsmap(std::move(units), std::string(replacements));
  SIDA_TRY(charsmap.check_values());
  return charsmap;
}

std::string_view Charsmap::replacement_at(std::size_t offset) const {
  const std::string_view tail = std::string_view(replacements_).substr(offset, kReplacementBytesMax + 1);
  return tail.substr(0, tail.find('\0'));
}

// Looks at every unit instead of walking the trie, since a damaged one may have cycles.
Result<void> Charsmap::check_values() {
  for (std::size_t i = 0; i < units_.size(); ++i) {
    if (is_value(units_[i]) || !has_leaf(units_[i])) {
      continue;
    }
    const std::size_t leaf = i ^ offset_of(units_[i]);
    if (leaf >= units_.size() || value_of(units_[leaf]) > replacements_.size() ||
        !is_boundary(replacements_, value_of(units_[leaf]))) {
      return fail(ErrorCode::kInvalidModel, "character map: unit " + std::to_string(i) + " leads to no replacement");
    }
    const std::size_t length = replacement_at(value_of(units_[leaf])).size();
    if (length > kReplacementBytesMax) {
      return fail(ErrorCode::kInvalidModel,
                  "character map: a replacement is longer than " + std::to_string(kReplacementBytesMax) + " bytes");
    }
    growth_ = std::max(growth_, length);
  }
  return {};
}

std::optional<std::string_view> Charsmap::find(std::string_view chunk) const {
  std::size_t node = offset_of(units_[0]);
  for (const char c : chunk) {
    const auto label = static_cast<unsigned char>(c);
    if (label == 0) {
      return std::nullopt;
    }
    node ^= label;
    if (node >= units_.size() || label_of(units_[node]) != label) {
      return std::nullopt;
    }
    const std::uint32_t unit = units_[node];
    node ^= offset_of(unit);
    if (has_leaf(unit)) {
      return replacement_at(value_of(units_[node]));
    }
  }
  return std::nullopt;
}

void Charsmap::normalize(NormalizedText& text) const {
  std::vector<ChangedCodePoint> changed;
  changed.reserve(text.bytes.size());
  bool modified = false;
  const std::string_view bytes = text.bytes;
  const auto replace = [&](std::string_view part) {
    const auto replacement = find(part);
    if (replacement) {
      append(changed, part, *replacement);
      modified = true;
    }
    return replacement.has_value();
  };
  for (std::size_t begin = 0; begin < bytes.size();) {
    const std::size_t end = grapheme_end(bytes, begin);
    if (end - begin <= kWholeClusterBytesMax && replace(bytes.substr(begin, end - begin))) {
      begin = end;
      continue;
    }
    while (begin < end) {
      const CodePoint c = code_point_at(bytes, begin);
      if (!replace(bytes.substr(begin, c.size))) {
        changed.push_back({c.value, 0});
      }
      begin += c.size;
    }
  }
  if (modified) {
    text = transformed(text, changed);
  }
}

}  // namespace sida::tokenizer

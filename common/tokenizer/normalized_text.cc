#include "common/tokenizer/normalized_text.h"

#include <algorithm>

#include "common/tokenizer/utf8.h"

namespace sida::tokenizer {

NormalizedText NormalizedText::whole(std::string prompt) {
  const std::size_t head = prompt.empty() ? 0 : code_point_at(prompt, 0).size;
  return {std::move(prompt), true, head};
}

NormalizedText NormalizedText::slice(std::size_t begin, std::size_t end) const {
  const bool starts = at_start && begin < head;
  return {bytes.substr(begin, end - begin), starts, starts ? std::min(head, end) - begin : 0};
}

void NormalizedText::erase_front(std::size_t count) {
  bytes.erase(0, count);
  head -= std::min(head, count);
}

void NormalizedText::erase_back(std::size_t count) {
  bytes.resize(bytes.size() - count);
  head = std::min(head, bytes.size());
}

void NormalizedText::prepend(std::string_view text) {
  if (bytes.empty()) {
    return;
  }
  bytes.insert(0, text);
  head += head > 0 ? text.size() : 0;
}

NormalizedText transformed(const NormalizedText& old, std::span<const ChangedCodePoint> changed) {
  NormalizedText result{{}, old.at_start, 0};
  result.bytes.reserve(old.bytes.size());
  std::size_t offset = 0;  // In the old text, behind what has been stood for.
  bool in_head = old.head > 0;
  for (const ChangedCodePoint& c : changed) {
    append_utf8(result.bytes, c.code_point);
    if (!in_head) {
      continue;  // Alignment only ever moves forward.
    }
    const bool is_new = c.change > 0;
    in_head = is_new ? offset <= old.head : offset < old.head;
    for (std::ptrdiff_t n = is_new ? 0 : 1 - c.change; n > 0 && offset < old.bytes.size(); --n) {
      offset += code_point_at(old.bytes, offset).size;
    }
    result.head = in_head ? result.bytes.size() : result.head;
  }
  return result;
}

}  // namespace sida::tokenizer

#include "common/tokenizer/normalizer.h"

#include <algorithm>
#include <utility>

#include "common/tokenizer/utf8.h"

namespace sida::tokenizer {
namespace {

// Builds the text with the matches replaced. next(bytes, position) is the first match at or behind `position` as
// (begin, end), with `begin` npos where there is none.
template <typename Next>
void replace_matches(NormalizedText& text, std::string_view content, Next&& next) {
  const std::string_view bytes = text.bytes;
  std::pair<std::size_t, std::size_t> match = next(bytes, std::size_t{0});
  if (match.first == std::string_view::npos) {
    return;
  }
  std::string result;
  std::size_t head = 0;
  std::size_t copied = 0;
  const auto copy_until = [&](std::size_t end) {
    if (copied < text.head) {
      head = result.size() + std::min(text.head, end) - copied;
    }
    result.append(bytes.substr(copied, end - copied));
    copied = end;
  };
  for (; match.first != std::string_view::npos; match = next(bytes, copied)) {
    copy_until(match.first);
    result.append(content);
    copied = match.second;
    // What replaces a match belongs where the match's last code point belonged.
    head = copied <= text.head ? result.size() : head;
  }
  copy_until(bytes.size());
  text.bytes = std::move(result);
  text.head = head;
}

struct Normalize {
  NormalizedText& text;

  void operator()(const StripStep& step) const {
    const std::string_view bytes = text.bytes;
    std::size_t left = 0;
    while (step.left && left < bytes.size()) {
      const CodePoint c = code_point_at(bytes, left);
      if (!is_whitespace(c.value)) {
        break;
      }
      left += c.size;
    }
    std::size_t right = bytes.size();
    while (step.right && right > left) {
      const CodePoint c = code_point_before(bytes, right);
      if (!is_whitespace(c.value)) {
        break;
      }
      right -= c.size;
    }
    text.erase_back(bytes.size() - right);
    text.erase_front(left);
  }

  void operator()(const ReplaceStep& step) const {
    replace_matches(text, step.content, [&](std::string_view bytes, std::size_t position) {
      const std::size_t begin = bytes.find(step.pattern, position);
      return std::pair(begin, begin == std::string_view::npos ? begin : begin + step.pattern.size());
    });
  }

  void operator()(const ReplaceRunStep& step) const {
    replace_matches(text, step.content, [&](std::string_view bytes, std::size_t position) {
      for (std::size_t begin = bytes.find(step.repeated, position); begin != std::string_view::npos;) {
        const std::size_t end = std::min(bytes.find_first_not_of(step.repeated, begin), bytes.size());
        if (end - begin >= step.minimum) {
          return std::pair(begin, end);
        }
        begin = bytes.find(step.repeated, end);
      }
      return std::pair(std::string_view::npos, std::string_view::npos);
    });
  }

  void operator()(const PrependStep& step) const { text.prepend(step.text); }

  void operator()(const std::shared_ptr<const Charsmap>& charsmap) const { charsmap->normalize(text); }

  void operator()(const NmtStep& /*step*/) const {
    const std::string_view bytes = text.bytes;
    NormalizedText result{{}, text.at_start, 0};
    for (std::size_t position = 0; position < bytes.size();) {
      const CodePoint c = code_point_at(bytes, position);
      position += c.size;
      if (!dropped(c.value)) {
        append_utf8(result.bytes, space_like(c.value) ? U' ' : c.value);
      }
      result.head = position <= text.head ? result.bytes.size() : result.head;
    }
    text = std::move(result);
  }

  // The lists of SentencePiece's nmt rules, as the tokenizers package has them.
  static bool dropped(char32_t c) {
    return (c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
  }
  static bool space_like(char32_t c) {
    return c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 || (c >= 0x200B && c <= 0x200F) ||
           c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
  }
};

struct Growth {
  static double ratio(std::size_t content, std::size_t pattern) {
    return std::max(1.0, static_cast<double>(content) / static_cast<double>(pattern));
  }
  double operator()(const ReplaceStep& step) const { return ratio(step.content.size(), step.pattern.size()); }
  double operator()(const ReplaceRunStep& step) const { return ratio(step.content.size(), step.minimum); }
  // Prompts may be cut into texts of one byte, and each gets what is put before it.
  double operator()(const PrependStep& step) const { return 1.0 + static_cast<double>(step.text.size()); }
  double operator()(const std::shared_ptr<const Charsmap>& charsmap) const {
    return static_cast<double>(charsmap->growth());
  }
  template <typename Step>
  double operator()(const Step& /*step*/) const {
    return 1.0;
  }
};

}  // namespace

void normalize(const std::vector<NormalizerStep>& steps, NormalizedText& text) {
  for (const NormalizerStep& step : steps) {
    std::visit(Normalize{text}, step);
  }
}

double growth(const std::vector<NormalizerStep>& steps) {
  double product = 1.0;
  for (const NormalizerStep& step : steps) {
    product *= std::visit(Growth{}, step);
  }
  return product;
}

std::string replaced(std::string_view text, std::string_view pattern, std::string_view content) {
  NormalizedText whole{std::string(text), false, 0};
  normalize({ReplaceStep{std::string(pattern), std::string(content)}}, whole);
  return std::move(whole.bytes);
}

}  // namespace sida::tokenizer

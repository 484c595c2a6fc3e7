#include "common/tokenizer/pre_tokenizer.h"

#include <utility>

#include "common/tokenizer/normalizer.h"
#include "common/tokenizer/utf8.h"

namespace sida::tokenizer {
namespace {

// Appends the words that one step makes of `text`.
struct Split {
  NormalizedText text;
  std::vector<NormalizedText>& words;

  void add(std::size_t begin, std::size_t end) {
    if (begin < end) {
      words.push_back(text.slice(begin, end));
    }
  }

  void operator()(const WhitespaceSplitStep& /*step*/) {
    std::size_t word = 0;
    for (std::size_t position = 0; position < text.bytes.size();) {
      const CodePoint c = code_point_at(text.bytes, position);
      if (is_whitespace(c.value)) {
        add(word, position);
        word = position + c.size;
      }
      position += c.size;
    }
    add(word, text.bytes.size());
  }

  void operator()(const MetaspaceStep& step) {
    normalize({ReplaceStep{" ", step.replacement}}, text);
    const bool wanted =
        step.scheme == PrependScheme::kAlways || (step.scheme == PrependScheme::kFirst && text.at_start);
    if (wanted && !text.bytes.starts_with(step.replacement)) {
      text.prepend(step.replacement);
    }
    std::size_t word = 0;
    while (step.split && word < text.bytes.size()) {
      const std::size_t next = text.bytes.find(step.replacement, word + 1);
      if (next == std::string::npos) {
        break;
      }
      add(word, next);
      word = next;
    }
    add(word, text.bytes.size());
  }
};

}  // namespace

std::vector<NormalizedText> pre_tokenize(const std::vector<PreTokenizerStep>& steps, NormalizedText text) {
  std::vector<NormalizedText> words;
  words.push_back(std::move(text));
  for (const PreTokenizerStep& step : steps) {
    std::vector<NormalizedText> next;
    for (NormalizedText& word : words) {
      if (!word.bytes.empty()) {
        std::visit(Split{std::move(word), next}, step);
      }
    }
    words = std::move(next);
  }
  std::erase_if(words, [](const NormalizedText& word) { return word.bytes.empty(); });
  return words;
}

double growth(const std::vector<PreTokenizerStep>& steps) {
  double product = 1.0;
  for (const PreTokenizerStep& step : steps) {
    if (const auto* metaspace = std::get_if<MetaspaceStep>(&step)) {
      // A word of one byte that is no space keeps it and gets a replacement before it. Steps with replacements that
      // differ cut such words apart again and again, so that this worst case is met.
      product *= 1.0 + static_cast<double>(metaspace->replacement.size());
    }
  }
  return product;
}

}  // namespace sida::tokenizer

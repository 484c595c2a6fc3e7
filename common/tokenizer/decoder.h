// The decoder of a tokeniser file: steps that turn the tokens of an answer into strings that are then joined.
#pragma once

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "common/tokenizer/pre_tokenizer.h"

namespace sida::tokenizer {

// The replacement becomes a space, but nothing in the first token (unless the scheme is "never").
struct MetaspaceDecoderStep {
  std::string replacement = "\u2581";
  PrependScheme scheme = PrependScheme::kAlways;
};

struct ReplaceDecoderStep {
  std::string pattern;  // Not empty.
  std::string content;
};

// Runs of tokens <0x00> to <0xFF> become the text that their bytes are, or one U+FFFD each where they are none.
struct ByteFallbackStep {};

// All tokens become one.
struct FuseStep {};

// Up to `start` times `content` at the beginning of each token and up to `stop` times at its end.
struct StripDecoderStep {
  std::string content;  // One code point.
  std::size_t start = 0;
  std::size_t stop = 0;
};

using DecoderStep =
    std::variant<MetaspaceDecoderStep, ReplaceDecoderStep, ByteFallbackStep, FuseStep, StripDecoderStep>;

// The tokens are valid UTF-8.
[[nodiscard]] std::string decode_tokens(const std::vector<DecoderStep>& steps, std::vector<std::string> tokens);

// Bytes that one byte of the tokens can become at most.
[[nodiscard]] double growth(const std::vector<DecoderStep>& steps);

}  // namespace sida::tokenizer

#include "common/tokenizer/decoder.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "common/tokenizer/normalizer.h"
#include "common/tokenizer/utf8.h"

namespace sida::tokenizer {
namespace {

using Tokens = std::vector<std::string>;

std::string join(const Tokens& tokens) {
  std::string text;
  for (const std::string& token : tokens) {
    text += token;
  }
  return text;
}

std::optional<char> byte_of(std::string_view token) {
  unsigned char byte = 0;
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') {
    return std::nullopt;
  }
  const auto [end, error] = std::from_chars(token.data() + 3, token.data() + 5, byte, 16);
  return error == std::errc{} && end == token.data() + 5 ? std::optional(static_cast<char>(byte)) : std::nullopt;
}

struct Decode {
  Tokens& tokens;

  void operator()(const MetaspaceDecoderStep& step) const {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const bool first = i == 0 && step.scheme != PrependScheme::kNever;
      tokens[i] = replaced(tokens[i], step.replacement, first ? "" : " ");
    }
  }

  void operator()(const ReplaceDecoderStep& step) const {
    for (std::string& token : tokens) {
      token = replaced(token, step.pattern, step.content);
    }
  }

  void operator()(const ByteFallbackStep& /*step*/) const {
    Tokens result;
    std::string bytes;
    const auto flush = [&] {
      if (is_valid_utf8(bytes)) {
        result.push_back(bytes);
      } else {
        result.insert(result.end(), bytes.size(), "\uFFFD");
      }
      bytes.clear();
    };
    for (std::string& token : tokens) {
      if (const auto byte = byte_of(token)) {
        bytes.push_back(*byte);
        continue;
      }
      if (!bytes.empty()) {
        flush();
      }
      result.push_back(std::move(token));
    }
    if (!bytes.empty()) {
      flush();
    }
    tokens = std::move(result);
  }

  void operator()(const FuseStep& /*step*/) const { tokens = {join(tokens)}; }

  void operator()(const StripDecoderStep& step) const {
    for (std::string& token : tokens) {
      std::string_view rest = token;
      for (std::size_t i = 0; i < step.start && rest.starts_with(step.content); ++i) {
        rest.remove_prefix(step.content.size());
      }
      for (std::size_t i = 0; i < step.stop && rest.ends_with(step.content); ++i) {
        rest.remove_suffix(step.content.size());
      }
      token = std::string(rest);
    }
  }
};

}  // namespace

std::string decode_tokens(const std::vector<DecoderStep>& steps, std::vector<std::string> tokens) {
  for (const DecoderStep& step : steps) {
    std::visit(Decode{tokens}, step);
  }
  return join(tokens);
}

double growth(const std::vector<DecoderStep>& steps) {
  double product = 1.0;
  for (const DecoderStep& step : steps) {
    if (const auto* replace = std::get_if<ReplaceDecoderStep>(&step)) {
      product *=
          std::max(1.0, static_cast<double>(replace->content.size()) / static_cast<double>(replace->pattern.size()));
    }
  }
  return product;
}

}  // namespace sida::tokenizer

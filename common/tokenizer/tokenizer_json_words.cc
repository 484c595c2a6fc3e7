// Pre-tokeniser and decoder: what happens on both sides of the words.
#include <utility>

#include "common/tokenizer/tokenizer_json_parts.h"
#include "common/tokenizer/tokenizer_json_steps.h"
#include "common/tokenizer/utf8.h"

namespace sida::tokenizer {
namespace {

// Longer runs would be cut in vain: no piece has so many code points.
constexpr std::int64_t kStripCountMax = 1024;

Result<std::string> read_character(const JsonObject& object, std::string_view name) {
  auto text = object.string(name);
  SIDA_TRY(text);
  if (text->empty() || code_point_at(*text, 0).size != text->size()) {
    return object.error("'" + std::string(name) + "' is not one character");
  }
  return text;
}

Result<PrependScheme> scheme_of(const JsonObject& object, const std::string& name) {
  if (name == "always") {
    return PrependScheme::kAlways;
  }
  if (name == "first") {
    return PrependScheme::kFirst;
  }
  if (name == "never") {
    return PrependScheme::kNever;
  }
  return object.error("the prepend scheme '" + name.substr(0, 32) + "' is not supported");
}

Result<DecoderStep> read_strip_decoder(const JsonObject& object) {
  auto content = read_character(object, "content");
  SIDA_TRY(content);
  const auto start = object.integer("start", kStripCountMax);
  SIDA_TRY(start);
  const auto stop = object.integer("stop", kStripCountMax);
  SIDA_TRY(stop);
  return StripDecoderStep{*std::move(content), static_cast<std::size_t>(*start), static_cast<std::size_t>(*stop)};
}

Result<DecoderStep> read_decoder_step(const JsonObject& object, const std::string& type) {
  if (type == "Metaspace") {
    auto metaspace = read_metaspace(object);
    SIDA_TRY(metaspace);
    return MetaspaceDecoderStep{std::move(metaspace->replacement), metaspace->scheme};
  }
  if (type == "Replace") {
    const auto pattern = object.object("pattern");
    SIDA_TRY(pattern);
    auto string = read_step_string(*pattern, "String", false);
    SIDA_TRY(string);
    auto content = read_step_string(object, "content", true);
    SIDA_TRY(content);
    return ReplaceDecoderStep{*std::move(string), *std::move(content)};
  }
  if (type == "ByteFallback") {
    return ByteFallbackStep{};
  }
  if (type == "Fuse") {
    return FuseStep{};
  }
  if (type == "Strip") {
    return read_strip_decoder(object);
  }
  return object.error("the decoder '" + type.substr(0, 64) + "' is not supported");
}

Result<PreTokenizerStep> read_pre_tokenizer_step(const JsonObject& object, const std::string& type) {
  if (type == "Metaspace") {
    return read_metaspace(object);
  }
  if (type == "WhitespaceSplit") {
    return WhitespaceSplitStep{};
  }
  return object.error("the pre-tokeniser '" + type.substr(0, 64) + "' is not supported");
}

template <typename Step, typename Read>
Result<std::vector<Step>> read_steps(const JsonObject& part, std::string_view list_name, Read&& read) {
  std::vector<Step> steps;
  SIDA_TRY(for_each_step(part, list_name, [&](const JsonObject& object, const std::string& type) -> Result<void> {
    auto step = read(object, type);
    SIDA_TRY(step);
    if (steps.size() >= kStepsMax) {
      return object.error("too many steps");
    }
    steps.push_back(*std::move(step));
    return {};
  }));
  return steps;
}

}  // namespace

Result<std::string> read_step_string(const JsonObject& object, std::string_view name, bool may_be_empty) {
  auto text = object.string(name);
  SIDA_TRY(text);
  if (text->size() > kStepStringBytesMax || (text->empty() && !may_be_empty)) {
    return object.error("'" + std::string(name) + "' is empty or too long");
  }
  return text;
}

Result<MetaspaceStep> read_metaspace(const JsonObject& object) {
  auto replacement = read_character(object, "replacement");
  SIDA_TRY(replacement);
  const auto name = object.string("prepend_scheme", "always");
  SIDA_TRY(name);
  auto scheme = scheme_of(object, *name);
  SIDA_TRY(scheme);
  const auto split = object.boolean("split", true);
  SIDA_TRY(split);
  // Files before tokenizers 0.15 have this flag instead of the scheme; those after may have both.
  const auto add_prefix_space = object.boolean("add_prefix_space", true);
  SIDA_TRY(add_prefix_space);
  const auto declared = object.find("prepend_scheme");
  if (!*add_prefix_space && *declared != nullptr && *scheme != PrependScheme::kNever) {
    return object.error("'add_prefix_space' contradicts 'prepend_scheme'");
  }
  return MetaspaceStep{*std::move(replacement), *add_prefix_space ? *scheme : PrependScheme::kNever, *split};
}

Result<std::vector<PreTokenizerStep>> read_pre_tokenizer(const JsonObject& pre_tokenizer) {
  return read_steps<PreTokenizerStep>(pre_tokenizer, "pretokenizers", read_pre_tokenizer_step);
}

Result<std::vector<DecoderStep>> read_decoder(const JsonObject& decoder) {
  return read_steps<DecoderStep>(decoder, "decoders", read_decoder_step);
}

}  // namespace sida::tokenizer

#include <sodium.h>

#include <limits>
#include <optional>
#include <utility>

#include "common/tokenizer/tokenizer_json_parts.h"
#include "common/tokenizer/tokenizer_json_steps.h"

namespace sida::tokenizer {
namespace {

Result<std::shared_ptr<const Charsmap>> read_precompiled(const JsonObject& object) {
  const auto text = object.string("precompiled_charsmap");
  SIDA_TRY(text);
  std::string bytes(text->size() / 4 * 3 + 3, '\0');
  std::size_t size = 0;
  if (sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text->data(), text->size(),
                        nullptr, &size, nullptr, sodium_base64_VARIANT_ORIGINAL) != 0) {
    return object.error("'precompiled_charsmap' is not base64");
  }
  auto charsmap = Charsmap::read(std::string_view(bytes).substr(0, size));
  if (!charsmap) {
    return fail_at(object.place(), std::move(charsmap).error());
  }
  return std::make_shared<const Charsmap>(*std::move(charsmap));
}

// "c{n,}" for a character c that has no meaning of its own: what converters write to squeeze spaces.
std::optional<ReplaceRunStep> parse_run_expression(std::string_view expression) {
  constexpr std::string_view kSpecial = "\\^$.|?*+()[]{}";
  if (expression.size() < 5 || expression.size() > 8 || expression.substr(1, 1) != "{" || !expression.ends_with(",}") ||
      kSpecial.find(expression[0]) != std::string_view::npos || static_cast<unsigned char>(expression[0]) >= 0x80) {
    return std::nullopt;
  }
  std::size_t minimum = 0;
  for (const char c : expression.substr(2, expression.size() - 4)) {
    if (c < '0' || c > '9') {
      return std::nullopt;
    }
    minimum = minimum * 10 + static_cast<std::size_t>(c - '0');
  }
  return minimum > 0 ? std::optional(ReplaceRunStep{expression[0], minimum, {}}) : std::nullopt;
}

Result<NormalizerStep> read_replace(const JsonObject& object) {
  auto content = read_step_string(object, "content", true);
  SIDA_TRY(content);
  const auto pattern = object.object("pattern");
  SIDA_TRY(pattern);
  const auto is_regex = pattern->find("Regex");
  SIDA_TRY(is_regex);
  if (*is_regex == nullptr) {
    auto string = read_step_string(*pattern, "String", false);
    SIDA_TRY(string);
    return ReplaceStep{*std::move(string), *std::move(content)};
  }
  const auto expression = pattern->string("Regex");
  SIDA_TRY(expression);
  auto run = parse_run_expression(*expression);
  if (!run) {
    return object.error("the regular expression '" + expression->substr(0, 64) +
                        "' is not supported; a character and a count, as ' {2,}', is");
  }
  run->content = *std::move(content);
  return *std::move(run);
}

Result<NormalizerStep> read_step(const JsonObject& object, const std::string& type) {
  if (type == "Precompiled") {
    return read_precompiled(object);
  }
  if (type == "Replace") {
    return read_replace(object);
  }
  if (type == "Strip") {
    const auto left = object.boolean("strip_left");
    SIDA_TRY(left);
    const auto right = object.boolean("strip_right");
    SIDA_TRY(right);
    return StripStep{*left, *right};
  }
  if (type == "Prepend") {
    auto text = read_step_string(object, "prepend", true);
    SIDA_TRY(text);
    return PrependStep{*std::move(text)};
  }
  if (type == "Nmt") {
    return NmtStep{};
  }
  return object.error("the normaliser '" + type.substr(0, 64) + "' is not supported");
}

}  // namespace

Result<std::vector<NormalizerStep>> read_normalizer(const JsonObject& normalizer) {
  std::vector<NormalizerStep> steps;
  SIDA_TRY(
      for_each_step(normalizer, "normalizers", [&](const JsonObject& object, const std::string& type) -> Result<void> {
        auto step = read_step(object, type);
        SIDA_TRY(step);
        if (steps.size() >= kStepsMax) {
          return object.error("too many steps");
        }
        steps.push_back(*std::move(step));
        return {};
      }));
  return steps;
}

}  // namespace sida::tokenizer

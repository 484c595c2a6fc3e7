#include "common/tokenizer/tokenizer_json.h"

#include <string>
#include <utility>

#include "common/tokenizer/pipeline.h"
#include "common/tokenizer/tokenizer_json_parts.h"

namespace sida::tokenizer {
namespace {

// Reads the part `name` into `target` where the file has it.
template <typename Target, typename Read>
Result<void> read_optional(const JsonObject& file, std::string_view name, Target& target, Read&& read) {
  const auto found = file.find(name);
  SIDA_TRY(found);
  if (*found == nullptr) {
    return {};
  }
  const auto object = JsonObject::of(**found, std::string(name));
  SIDA_TRY(object);
  auto part = read(*object);
  SIDA_TRY(part);
  target = *std::move(part);
  return {};
}

Result<Unigram> read_model(const JsonObject& file) {
  const auto found = file.find("model");
  SIDA_TRY(found);
  if (*found == nullptr) {
    return file.error("'model' is missing");
  }
  const auto object = JsonObject::of(**found, "model");
  SIDA_TRY(object);
  return read_unigram(*object);
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> read_tokenizer_json(std::string_view bytes) {
  const auto document = parse_json(bytes);
  SIDA_TRY(document);
  const auto file = JsonObject::of(*document, "the file");
  SIDA_TRY(file);
  const auto version = file->string("version", "1.0");
  SIDA_TRY(version);
  if (*version != "1.0") {
    return file->error("version '" + version->substr(0, 32) + "' is not supported, 1.0 is");
  }
  auto model = read_model(*file);
  SIDA_TRY(model);
  Pipeline pipeline{.model = *std::move(model)};
  SIDA_TRY(read_optional(*file, "normalizer", pipeline.normalizer, read_normalizer));
  SIDA_TRY(read_optional(*file, "pre_tokenizer", pipeline.pre_tokenizer, read_pre_tokenizer));
  SIDA_TRY(read_optional(*file, "post_processor", pipeline.post_processor, read_post_processor));
  SIDA_TRY(read_optional(*file, "decoder", pipeline.decoder, read_decoder));
  auto added_tokens = read_added_tokens(*file);
  SIDA_TRY(added_tokens);
  pipeline.added_tokens = *std::move(added_tokens);
  return make_tokenizer(std::move(pipeline));
}

}  // namespace sida::tokenizer

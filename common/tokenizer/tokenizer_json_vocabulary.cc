// Model, added tokens and post-processor: what gives tokens their ids.
#include <limits>
#include <utility>

#include "common/tokenizer/tokenizer_json_parts.h"

namespace sida::tokenizer {
namespace {

constexpr std::int64_t kIdMax = std::numeric_limits<std::int32_t>::max() - 1;

Result<Piece> read_piece(const JsonObject& model, std::size_t id, const JsonValue& entry) {
  const auto* pair = entry.as<JsonValue::Array>();
  const auto* text = pair != nullptr && pair->size() == 2 ? (*pair)[0].as<std::string>() : nullptr;
  if (text == nullptr) {
    return model.error("piece " + std::to_string(id) + " is not [text, score]");
  }
  if (const auto* score = (*pair)[1].as<double>()) {
    return Piece{*text, *score};
  }
  if (const auto* score = (*pair)[1].as<std::int64_t>()) {
    return Piece{*text, static_cast<double>(*score)};
  }
  return model.error("the score of piece " + std::to_string(id) + " is not a number");
}

Result<AddedToken> read_added_token(const JsonObject& object) {
  AddedToken token;
  auto content = object.string("content");
  SIDA_TRY(content);
  token.content = *std::move(content);
  const auto id = object.integer("id", kIdMax);
  SIDA_TRY(id);
  token.id = static_cast<std::int32_t>(*id);
  const std::pair<std::string_view, bool*> flags[] = {{"special", &token.special},
                                                      {"lstrip", &token.left_strip},
                                                      {"rstrip", &token.right_strip},
                                                      {"single_word", &token.single_word},
                                                      {"normalized", &token.normalized}};
  for (const auto& [name, flag] : flags) {
    const auto value = object.boolean(name);
    SIDA_TRY(value);
    *flag = *value;
  }
  return token;
}

// The ids of the special token that a template calls `name`.
Result<std::vector<std::int32_t>> read_template_ids(const JsonObject& post_processor, const std::string& name) {
  const auto tokens = post_processor.object("special_tokens");
  SIDA_TRY(tokens);
  const auto token = tokens->object(name);
  SIDA_TRY(token);
  const auto list = token->array("ids");
  SIDA_TRY(list);
  std::vector<std::int32_t> ids;
  for (const JsonValue& value : **list) {
    const auto* id = value.as<std::int64_t>();
    if (id == nullptr || *id < 0 || *id > kIdMax || ids.size() >= kStepsMax) {
      return token->error("'ids' is not a short list of ids");
    }
    ids.push_back(static_cast<std::int32_t>(*id));
  }
  return ids;
}

// One place of the template for a single sequence: $A itself, or a special token before or after it.
Result<void> read_template_place(const JsonObject& post_processor, const JsonObject& place, bool& seen_sequence,
                                 PostProcessor& result) {
  const auto sequence = place.find("Sequence");
  SIDA_TRY(sequence);
  if (*sequence != nullptr) {
    const auto object = place.object("Sequence");
    SIDA_TRY(object);
    const auto id = object->string("id");
    SIDA_TRY(id);
    if (*id != "A" || seen_sequence) {
      return place.error("a template must hold the sequence A once, and no other");
    }
    seen_sequence = true;
    return {};
  }
  const auto object = place.object("SpecialToken");
  SIDA_TRY(object);
  const auto name = object->string("id");
  SIDA_TRY(name);
  const auto ids = read_template_ids(post_processor, *name);
  SIDA_TRY(ids);
  auto& target = seen_sequence ? result.after : result.before;
  target.insert(target.end(), ids->begin(), ids->end());
  return {};
}

}  // namespace

Result<Unigram> read_unigram(const JsonObject& model) {
  const auto type = model.string("type", "Unigram");
  SIDA_TRY(type);
  if (*type != "Unigram") {
    return model.error("the type '" + type->substr(0, 64) + "' is not supported, Unigram is");
  }
  const auto vocabulary = model.array("vocab");
  SIDA_TRY(vocabulary);
  std::vector<Piece> pieces;
  pieces.reserve((*vocabulary)->size());
  for (const JsonValue& entry : **vocabulary) {
    auto piece = read_piece(model, pieces.size(), entry);
    SIDA_TRY(piece);
    pieces.push_back(*std::move(piece));
  }
  const auto unknown_id = model.integer("unk_id", kIdMax);
  SIDA_TRY(unknown_id);
  const auto byte_fallback = model.boolean("byte_fallback", false);
  SIDA_TRY(byte_fallback);
  auto unigram = Unigram::make(std::move(pieces), *unknown_id, *byte_fallback);
  if (!unigram) {
    return fail_at(model.place(), std::move(unigram).error());
  }
  return unigram;
}

Result<std::vector<AddedToken>> read_added_tokens(const JsonObject& file) {
  std::vector<AddedToken> tokens;
  const auto found = file.find("added_tokens");
  SIDA_TRY(found);
  if (*found == nullptr) {
    return tokens;
  }
  const auto list = file.array("added_tokens");
  SIDA_TRY(list);
  for (std::size_t i = 0; i < (*list)->size(); ++i) {
    const auto object = JsonObject::of((**list)[i], "added_tokens[" + std::to_string(i) + "]");
    SIDA_TRY(object);
    auto token = read_added_token(*object);
    SIDA_TRY(token);
    // Such an entry stands for nothing.
    if (!token->content.empty()) {
      tokens.push_back(*std::move(token));
    }
  }
  return tokens;
}

Result<PostProcessor> read_post_processor(const JsonObject& post_processor) {
  const auto type = post_processor.string("type");
  SIDA_TRY(type);
  if (*type != "TemplateProcessing") {
    return post_processor.error("the type '" + type->substr(0, 64) + "' is not supported, TemplateProcessing is");
  }
  const auto places = post_processor.array("single");
  SIDA_TRY(places);
  if ((*places)->size() > kStepsMax) {
    return post_processor.error("'single' is too long");
  }
  PostProcessor result;
  bool seen_sequence = false;
  for (std::size_t i = 0; i < (*places)->size(); ++i) {
    const auto place = JsonObject::of((**places)[i], "post_processor.single[" + std::to_string(i) + "]");
    SIDA_TRY(place);
    SIDA_TRY(read_template_place(post_processor, *place, seen_sequence, result));
  }
  if (!seen_sequence) {
    return post_processor.error("'single' has no place for the sequence");
  }
  return result;
}

}  // namespace sida::tokenizer

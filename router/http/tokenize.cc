#include "router/http/tokenize.h"

#include "router/http/json_fields.h"

namespace sida::router {
namespace {

void check_common(JsonFields& fields, const ServedModel& model) {
  if (auto known = check_model(model, fields.text("model", "")); !known) {
    fields.problem(known.error());
  }
  if (model.tokenizer == nullptr) {
    fields.problem({400, "invalid_argument", "this model has no tokenizer", ""});
  }
}

}  // namespace

ApiResult<nlohmann::json> tokenize(const nlohmann::json& body, const ServedModel& model, const HttpLimits& limits) {
  JsonFields fields(body);
  check_common(fields, model);
  const bool add_special_tokens = fields.boolean("add_special_tokens", true);
  if (fields.any("prompt") == nullptr) {
    fields.problem({400, "invalid_argument", "prompt is missing", "prompt"});
  }
  const std::string prompt = fields.text("prompt", "");
  if (auto short_enough = check_text_bytes(prompt, "prompt", limits.prompt_tokens_max); !short_enough) {
    fields.problem(short_enough.error());
  }
  if (auto done = fields.finish(); !done) {
    return tl::unexpected<ApiError>(done.error());
  }
  const auto tokens = model.tokenizer->encode(prompt, add_special_tokens);
  return nlohmann::json{{"tokens", tokens}, {"count", tokens.size()}, {"max_model_len", limits.prompt_tokens_max}};
}

ApiResult<nlohmann::json> detokenize(const nlohmann::json& body, const ServedModel& model) {
  JsonFields fields(body);
  check_common(fields, model);
  const auto* tokens = fields.any("tokens");
  if (tokens == nullptr || !tokens->is_array()) {
    fields.problem({400, "invalid_argument", "tokens must be a list of token ids", "tokens"});
  }
  if (auto done = fields.finish(); !done) {
    return tl::unexpected<ApiError>(done.error());
  }
  auto ids = read_ids(*tokens, "tokens", model.vocab_size);
  if (!ids) {
    return tl::unexpected<ApiError>(ids.error());
  }
  return nlohmann::json{{"prompt", model.tokenizer->decode(*ids, /*skip_special_tokens=*/false)}};
}

}  // namespace sida::router

// What the HTTP front end knows of the model: enough to turn text into ids and back, and to judge a request.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/tokenizer/tokenizer.h"
#include "router/http/http_options.h"
#include "router/http/reply.h"

namespace sida::router {

// A head for sequence classification.
struct ServedHead {
  std::string name;
  std::vector<std::string> labels;  // By logit.
};

// Plain data, fixed while the server runs; any thread.
struct ServedModel {
  std::string name;
  const tokenizer::Tokenizer* tokenizer = nullptr;  // Not owned; nullptr: ids only.
  std::int32_t vocab_size = 0;
  std::int32_t pad_token_id = 0;
  std::vector<std::int32_t> eos_token_ids;
  std::vector<ServedHead> heads;  // In the order of the trunk's.
};

// The ids of one text (a JSON string), end token included. 400 when there is no tokeniser, or when the text is sure to
// have more than `tokens_max` tokens, before time is spent on it; `param` names the field.
ApiResult<std::vector<std::int32_t>> encode_text(const ServedModel& model, const nlohmann::json& text,
                                                 const char* param, std::int64_t tokens_max);

// False for pad and end tokens.
bool has_text(const ServedModel& model, std::int32_t id);

// Text of generated ids: pad and end tokens are dropped, sentinels (<extra_id_N>) stay, since they carry meaning.
// Empty without a tokeniser.
std::string decode_text(const ServedModel& model, std::span<const std::int32_t> ids);

// 404 with code model_not_found unless `requested` is empty or the served name.
ApiResult<void> check_model(const ServedModel& model, const std::string& requested);

}  // namespace sida::router

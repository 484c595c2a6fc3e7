// POST /tokenize and /detokenize, with the field names of vLLM.
#pragma once

#include <nlohmann/json.hpp>

#include "router/http/http_options.h"
#include "router/http/reply.h"
#include "router/http/served_model.h"

namespace sida::router {

// {"prompt", "add_special_tokens" = true} to {"tokens", "count", "max_model_len"}.
ApiResult<nlohmann::json> tokenize(const nlohmann::json& body, const ServedModel& model, const HttpLimits& limits);

// {"tokens"} to {"prompt"}. Special tokens stay visible.
ApiResult<nlohmann::json> detokenize(const nlohmann::json& body, const ServedModel& model);

}  // namespace sida::router

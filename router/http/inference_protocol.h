// The Open Inference Protocol, version 2, for sequence classification: each head of the model is one of its models.
// https://github.com/kserve/open-inference-protocol (JSON tensors; no extensions).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "router/core/request.h"
#include "router/http/http_options.h"
#include "router/http/reply.h"
#include "router/http/served_model.h"

namespace sida::router {

struct InferRequest {
  std::string id;                                    // Of the client's choosing; empty: none.
  std::vector<std::vector<std::int32_t>> sequences;  // Token ids, none empty.
  bool want_logits = true;
  bool want_label = true;
};

// Inputs: `text` (BYTES, [batch] or [batch, 1]; the end token is appended), or `input_ids` (INT64 or INT32, [batch,
// length], taken as they are) with an `attention_mask` of the same shape where rows are padded. Outputs: `logits`
// (FP32, [batch, labels]) and `label` (BYTES, [batch]); all that are not named when some are named are left out.
ApiResult<InferRequest> parse_infer(const nlohmann::json& body, const ServedModel& model, const HttpLimits& limits);

// One job per sequence. Without request id, deadline and callbacks.
std::vector<Job> jobs_of(const InferRequest& request, std::size_t head);

nlohmann::json infer_response(const InferRequest& request, const ServedHead& head,
                              const std::vector<JobResult>& results);

// GET /v2 and GET /v2/models/NAME.
nlohmann::json server_metadata();
nlohmann::json head_metadata(const ServedHead& head);

// The position of the head of this name, or 404 with the names that there are.
ApiResult<std::size_t> find_head(const ServedModel& model, std::string_view name);

// As error_reply(), with the body that the protocol asks for: {"error": message}.
Reply protocol_error(const ApiError& error);

}  // namespace sida::router

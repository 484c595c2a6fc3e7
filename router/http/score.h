// POST /v1/score: teacher-forced log-probabilities of a target. JSON in, a job; a result, JSON out.
#pragma once

#include <nlohmann/json.hpp>

#include "router/core/request.h"
#include "router/http/completions_response.h"
#include "router/http/http_options.h"
#include "router/http/reply.h"
#include "router/http/served_model.h"

namespace sida::router {

struct ScoreRequest {
  ScoreJob work;
  std::optional<RoutingMode> routing;  // Nothing: the router's default.
  bool return_routing = false;
  bool return_gates = false;  // Then also return_routing.
};

// `prompt` and `target`: each a string (end token appended) or a list of token ids (taken as they are).
ApiResult<ScoreRequest> parse_score(const nlohmann::json& body, const ServedModel& model, const HttpLimits& limits);

Job job_of(const ScoreRequest& request);

// `logprobs` (natural logarithm, one per target token), `token_ids`, `perplexity` (exp of the mean of -logprob), usage.
nlohmann::json score_response(const ResponseMeta& meta, const ScoreRequest& request, const ServedModel& model,
                              const JobResult& result);

}  // namespace sida::router

// POST /v1/completions, the way out: results of the engine to OpenAI's JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "router/core/request.h"
#include "router/http/completions_request.h"
#include "router/http/served_model.h"

namespace sida::router {

struct ResponseMeta {
  std::string id;            // "cmpl-…"
  std::int64_t created = 0;  // Seconds since 1970.
};

// Text and tokens of one choice after stop strings are applied.
struct Choice {
  std::string text;                    // Ends before the stop string.
  std::vector<GeneratedToken> tokens;  // Up to and with the token that completed the stop string.
  FinishReason finish_reason = FinishReason::kLength;
};

Choice apply_stop(const ServedModel& model, const std::vector<std::string>& stop, const JobResult& result);

// One result per job, in the order of jobs_of.
nlohmann::json completions_response(const ResponseMeta& meta, const CompletionsRequest& request,
                                    const ServedModel& model, const std::vector<JobResult>& results);

// Where the first stop string begins; npos: nowhere.
std::size_t find_stop(const std::string& text, const std::vector<std::string>& stop);

// OpenAI's `logprobs` object of these tokens; text offsets count from the first of them.
nlohmann::json logprobs_json(const ServedModel& model, const std::vector<GeneratedToken>& tokens);

nlohmann::json usage_json(const CompletionsRequest& request, std::size_t completion_tokens);

// The `routing` object: mode, counts, agreement (share of predicted entries that the gate confirmed; null when none),
// rows by worker; `experts`: ids per stack, layer and token, and [layer, expert] pairs by worker.
nlohmann::json routing_json(const RoutingReport& report);

}  // namespace sida::router

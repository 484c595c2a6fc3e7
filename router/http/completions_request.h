// POST /v1/completions, the way in: JSON to a checked request, and that to jobs for the engine.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "router/core/request.h"
#include "router/http/http_options.h"
#include "router/http/reply.h"
#include "router/http/served_model.h"

namespace sida::router {

struct CompletionsRequest {
  std::vector<std::vector<std::int32_t>> prompts;  // Token ids, end token included; none empty.
  std::vector<std::string> echoed;                 // Per prompt, what a choice's text begins with; empty: nothing.
  SamplingParams sampling;                         // seed: of the first choice; each further choice adds one.
  std::int64_t choices_per_prompt = 1;             // `n`.
  std::int64_t best_of = 1;       // Sequences per prompt, of which `n` are told; beams of a beam search.
  std::vector<std::string> stop;  // Up to 4, none empty.
  bool want_logprobs = false;
  std::optional<RoutingMode> routing;  // Nothing: the router's default.
  bool return_routing = false;
  bool return_gates = false;  // Then also return_routing; of one prompt with one choice, not streamed.
  bool return_token_ids = false;
  bool stream = false;
  bool stream_usage = false;  // `stream_options.include_usage`.
};

// What the text of a choice begins with, by its index in the reply.
std::string echo_of(const CompletionsRequest& request, std::size_t choice);

// Every rule of the endpoint, checked in one pass; the first problem is told, with its field.
// `random_seed` is used when the client gives no seed.
ApiResult<CompletionsRequest> parse_completions(const nlohmann::json& body, const ServedModel& model,
                                                const HttpLimits& limits, std::uint64_t random_seed);

// For each prompt in turn a job per sequence, or one for a beam search. Without request id, deadline and callbacks.
std::vector<Job> jobs_of(const CompletionsRequest& request);

}  // namespace sida::router

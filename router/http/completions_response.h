// POST /v1/completions, the way out: results of the engine to OpenAI's JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
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
  std::optional<float> score = {};  // Of a beam search.
  RoutingReport routing = {};
};

Choice apply_stop(const ServedModel& model, const std::vector<std::string>& stop, const JobResult& result);

// The choices of the reply, `n` for each prompt in turn: of a beam search its best, else the sequences with the highest
// mean log-probability per token where there are more, the best first.
struct Choices {
  std::vector<Choice> chosen;
  std::size_t tokens = 0;  // Generated, also of sequences that were not chosen; of a beam search those of the chosen.
};
// `results`: one per job, in the order of jobs_of.
Choices choose(const CompletionsRequest& request, const ServedModel& model, const std::vector<JobResult>& results);

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

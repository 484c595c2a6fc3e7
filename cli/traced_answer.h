// A router's answer with `return_gates`, as a sequence of a trace.
#pragma once

#include <nlohmann/json.hpp>

#include "cli/trace_input.h"
#include "common/base/result.h"
#include "common/trace/traced_sequence.h"

namespace sida::cli {

// `answer`: of /v1/score for a job with a target, else of /v1/completions. kInternal when it is not what the job asked
// for, or does not fit the header.
Result<trace::TracedSequence> traced_answer(const trace::TraceHeader& header, const TraceJob& job,
                                            const nlohmann::json& answer);

// What to ask, and where: {"/v1/score", body}.
struct TraceQuestion {
  const char* path = "";
  nlohmann::json body;
};
TraceQuestion trace_question(const TraceJob& job, std::int64_t new_tokens_max);

}  // namespace sida::cli

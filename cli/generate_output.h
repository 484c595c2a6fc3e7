// What `sida generate` prints, from what the router answered. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "common/base/result.h"

namespace sida::cli {

// `input_ids`, `token_ids`, `text`, `finish_reason`, `usage`, `routing`; with `show_experts` also `experts.encoder` and
// `experts.decoder` (per MoE layer, per token: the expert that served it, -1 where capacity dropped it) and
// `experts.by_worker`. kInternal when the answer lacks what is needed.
Result<nlohmann::json> generate_output(const nlohmann::json& answer, bool show_experts);

// For people: the text (or the ids, without a tokeniser), then a table of experts where they are in the output.
std::string generate_text(const nlohmann::json& output);

// One line; bytes that are no UTF-8 are replaced.
std::string print_json(const nlohmann::json& value);

}  // namespace sida::cli

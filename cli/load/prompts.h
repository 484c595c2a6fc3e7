// What the requests of a load ask.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace sida::load {

// Bodies of POST /v1/completions, each with `prompt` and whatever else its line said; `defaults` for what it did not
// say. A line of the file is a JSON object (`prompt` as text or ids, and any field of a completion), or else plain
// text, one prompt a line; empty lines are none. kIo and kInvalidArgument name file and line.
Result<std::vector<nlohmann::json>> read_prompts(const std::string& file, const nlohmann::json& defaults);

// `count` prompts of `length` random ids from 3 up to below `vocabulary`, the same for the same seed.
std::vector<nlohmann::json> random_prompts(std::size_t count, std::int64_t length, std::int64_t vocabulary,
                                           std::uint64_t seed, const nlohmann::json& defaults);

}  // namespace sida::load

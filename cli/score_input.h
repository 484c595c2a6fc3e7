// The pairs that `sida score` scores, as bodies for POST /v1/score. Pure but for reading the file.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace sida::cli {

// One JSON object per line: `prompt` or `input_ids`, and `target` or `target_ids`. Empty lines are skipped.
// kInvalidArgument, with the line named, on anything else.
Result<std::vector<nlohmann::json>> parse_score_lines(std::string_view text);
Result<std::vector<nlohmann::json>> read_score_file(const std::filesystem::path& path);

}  // namespace sida::cli

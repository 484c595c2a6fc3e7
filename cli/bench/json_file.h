// Where `--json FILE` and the like go.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "common/base/result.h"

namespace sida::bench {

// Nothing for an empty path; kIo, naming the file, when it cannot be written.
Result<void> write_text_file(const std::string& path, const std::string& text);
Result<void> write_json_file(const std::string& path, const nlohmann::json& json);

}  // namespace sida::bench

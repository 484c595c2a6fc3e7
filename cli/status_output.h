// What `sida status` prints, from what GET /status answered. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace sida::cli {

// Processes, workers and rates as a table for people. Missing fields show as "-": a router of another version may lack
// some.
std::string status_text(const nlohmann::json& status);

}  // namespace sida::cli

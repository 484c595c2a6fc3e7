// An evaluation, to be read by people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace sida::cli {

// `evaluation`: of evaluation_json(). Names in it may hold anything; they are escaped.
std::string markdown_report(const nlohmann::json& evaluation);

// One page without any other file: tables, and bars per layer as inline SVG.
std::string html_report(const nlohmann::json& evaluation);

}  // namespace sida::cli

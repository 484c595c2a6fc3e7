// The tables of an evaluation's report, before they are Markdown or HTML.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace sida::cli {

// Plain text, not escaped. The first columns are names, the others figures.
struct ReportTable {
  std::string title;
  std::string note;       // A sentence or two below the title; may be empty.
  std::size_t names = 1;  // Columns of names.
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> rows;
};

// `evaluation`: of evaluation_json().
std::vector<ReportTable> report_tables(const nlohmann::json& evaluation);

// "97.3 %", or "-" of null.
std::string percent_text(const nlohmann::json& value);

// What was evaluated, in one sentence.
std::string report_subtitle(const nlohmann::json& evaluation);

}  // namespace sida::cli

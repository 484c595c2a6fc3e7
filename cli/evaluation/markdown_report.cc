#include "cli/evaluation/report.h"
#include "cli/evaluation/report_tables.h"

namespace sida::cli {
namespace {

std::string escaped(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (c == '|' || c == '\\' || c == '`' || c == '*' || c == '_' || c == '<' || c == '[') safe += '\\';
    safe += c == '\n' || c == '\r' ? ' ' : c;
  }
  return safe;
}

std::string line(const std::vector<std::string>& cells) {
  std::string text = "|";
  for (const std::string& cell : cells) text += " " + escaped(cell) + " |";
  return text + "\n";
}

std::string table_text(const ReportTable& table) {
  std::string text = "\n## " + escaped(table.title) + "\n\n";
  if (!table.note.empty()) text += escaped(table.note) + "\n\n";
  text += line(table.head) + "|";
  for (std::size_t column = 0; column < table.head.size(); ++column) text += column < table.names ? " --- |" : " --: |";
  text += "\n";
  for (const auto& row : table.rows) text += line(row);
  return text;
}

}  // namespace

std::string markdown_report(const nlohmann::json& evaluation) {
  std::string text = "# Evaluation\n\n" + escaped(report_subtitle(evaluation)) + "\n";
  for (const ReportTable& table : report_tables(evaluation)) text += table_text(table);
  return text;
}

}  // namespace sida::cli

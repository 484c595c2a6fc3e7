#include <array>
#include <cstdio>

#include "cli/evaluation/report.h"
#include "cli/evaluation/report_tables.h"

namespace sida::cli {
namespace {

using nlohmann::json;

// Told apart by people who do not see all colours (Okabe and Ito 2008).
constexpr std::array kColours{"#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999"};

constexpr const char* kHead = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>sida evaluation</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid #ddd; text-align: right; }
.name { text-align: left; }
.scroll { overflow-x: auto; }
p { max-width: 50rem; }
svg { max-width: 100%; height: auto; }
svg text { font: 12px system-ui, sans-serif; fill: currentColor; }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818; } th, td { border-color: #444; } }
</style></head><body>
)";

std::string escaped(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f", value);
  return text.data();
}

// Bars from 0 to 100 %, grouped: one group per layer, one bar per hash function; its full height is top-3, the solid
// part top-1.
class BarChart {
 public:
  BarChart(const json& trace, const char* stack) : subjects_(trace["predictors"]), stack_(stack) {}

  std::string svg() {
    const json& layers = subjects_[0][stack_]["layers"];
    if (layers.empty()) return "";
    const double group = kBar * static_cast<double>(subjects_.size()) + kGap;
    const double width = kLeft + group * static_cast<double>(layers.size()) + kGap;
    std::string text = "<svg role=\"img\" aria-label=\"" + std::string(stack_) + " hits per layer\" viewBox=\"0 0 " +
                       number(width) + " " + number(kTop + kHeight + 30) + "\" width=\"" + number(width) + "\">\n";
    for (int share = 0; share <= 100; share += 25) text += grid_line(share, width);
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
      const double x = kLeft + kGap + group * static_cast<double>(layer);
      for (std::size_t subject = 0; subject < subjects_.size(); ++subject) {
        text += bars(subjects_[subject], layer, subject, x + kBar * static_cast<double>(subject));
      }
      text += "<text x=\"" + number(x) + "\" y=\"" + number(kTop + kHeight + 18) + "\">" +
              escaped(layers[layer]["layer"].get<std::string>()) + "</text>\n";
    }
    return text + "</svg>\n";
  }

 private:
  static constexpr double kLeft = 44;
  static constexpr double kTop = 10;
  static constexpr double kHeight = 200;
  static constexpr double kBar = 18;
  static constexpr double kGap = 22;

  static double y_of(double share) { return kTop + kHeight * (1 - share / 100); }

  static std::string grid_line(int share, double width) {
    const std::string y = number(y_of(share));
    return "<line x1=\"" + number(kLeft) + "\" x2=\"" + number(width) + "\" y1=\"" + y + "\" y2=\"" + y +
           "\" stroke=\"#8884\"/><text x=\"" + number(kLeft - 6) + "\" y=\"" + number(y_of(share) + 4) +
           "\" text-anchor=\"end\">" + std::to_string(share) + " %</text>\n";
  }

  std::string bars(const json& subject, std::size_t layer, std::size_t colour, double x) const {
    const json& recall = subject[stack_]["layers"][layer];
    std::string text;
    for (const auto& [key, opacity] : {std::pair("top3", "0.45"), std::pair("top1", "1")}) {
      const double share = recall[key].get<double>();
      text += "<rect x=\"" + number(x) + "\" y=\"" + number(y_of(share)) + "\" width=\"" + number(kBar - 3) +
              "\" height=\"" + number(kHeight * share / 100) + "\" fill=\"" + kColours[colour % kColours.size()] +
              "\" fill-opacity=\"" + opacity + "\"><title>" + escaped(subject["name"].get<std::string>()) + ", " +
              escaped(recall["layer"].get<std::string>()) + ", " + key + ": " + number(share) + " %</title></rect>\n";
    }
    return text;
  }

  const json& subjects_;
  const char* stack_;
};

std::string legend(const json& subjects) {
  std::string text = "<p>";
  for (std::size_t index = 0; index < subjects.size(); ++index) {
    text += std::string("<span style=\"color:") + kColours[index % kColours.size()] + "\">&#9632;</span> " +
            escaped(subjects[index]["name"].get<std::string>()) + " &emsp;";
  }
  return text + "</p>\n";
}

std::string charts(const json& trace, const std::string& title) {
  if (trace["predictors"].empty()) return "";
  std::string text =
      "<h2>" + escaped(title) + "</h2>\n<p>Solid: top-1. Pale: top-3.</p>\n" + legend(trace["predictors"]);
  for (const char* stack : {"encoder", "decoder"}) {
    text += "<div class=\"scroll\">" + BarChart(trace, stack).svg() + "</div>\n";
  }
  return text;
}

std::string cells(const std::vector<std::string>& row, std::size_t names, const std::string& tag) {
  std::string text = "<tr>";
  for (std::size_t column = 0; column < row.size(); ++column) {
    text += "<" + tag + (column < names ? " class=\"name\">" : ">") + escaped(row[column]) + "</" + tag + ">";
  }
  return text + "</tr>\n";
}

std::string table_text(const ReportTable& table) {
  std::string text = "<h2>" + escaped(table.title) + "</h2>\n";
  if (!table.note.empty()) text += "<p>" + escaped(table.note) + "</p>\n";
  text += "<div class=\"scroll\"><table>\n" + cells(table.head, table.names, "th");
  for (const auto& row : table.rows) text += cells(row, table.names, "td");
  return text + "</table></div>\n";
}

}  // namespace

std::string html_report(const json& evaluation) {
  std::string text = std::string(kHead) + "<h1>Evaluation</h1>\n<p>" + escaped(report_subtitle(evaluation)) + "</p>\n";
  text += charts(evaluation["held_out"], "Hits per MoE layer, held-out text");
  if (evaluation.contains("out_of_domain")) {
    text += charts(evaluation["out_of_domain"], "Hits per MoE layer, out-of-domain text");
  }
  for (const ReportTable& table : report_tables(evaluation)) text += table_text(table);
  return text + "</body></html>\n";
}

}  // namespace sida::cli

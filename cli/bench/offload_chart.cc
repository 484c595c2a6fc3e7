#include "cli/bench/offload_chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>
#include <vector>

#include "cli/bench/offload_plan.h"

namespace sida::bench {
namespace {

using nlohmann::json;

// Told apart by people who do not see all colours (Okabe and Ito 2008); one for each of kPolicies.
constexpr std::array kColours{"#999999", "#000000", "#cc79a7", "#e69f00", "#56b4e9", "#0072b2", "#009e73"};
static_assert(kColours.size() == kPolicies.size());

constexpr double kWidth = 320;   // Of a panel.
constexpr double kHeight = 220;  // Of a panel.
constexpr double kLeft = 52;
constexpr double kTop = 26;
constexpr double kPlotWidth = kWidth - kLeft - 24;
constexpr double kPlotHeight = kHeight - kTop - 34;
constexpr double kLegend = 26;

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f", value);
  return text.data();
}

std::string escaped(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (c == '&') {
      safe += "&amp;";
    } else if (c == '<') {
      safe += "&lt;";
    } else if (c == '>') {
      safe += "&gt;";
    } else if (c == '"') {
      safe += "&quot;";
    } else {
      safe += c;
    }
  }
  return safe;
}

std::string text_at(double x, double y, const std::string& text, const char* anchor) {
  return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + anchor + "\">" + escaped(text) +
         "</text>\n";
}

std::string line(double x1, double y1, double x2, double y2, const std::string& style) {
  return "<line x1=\"" + number(x1) + "\" y1=\"" + number(y1) + "\" x2=\"" + number(x2) + "\" y2=\"" + number(y2) +
         "\" " + style + "/>\n";
}

// The smallest of 1, 2, 5 times a power of ten that is not below.
double round_up(double value) {
  if (value <= 0) return 1;
  const double unit = std::pow(10, std::floor(std::log10(value)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * unit >= value) return factor * unit;
  }
  return 10 * unit;
}

class Panel {
 public:
  Panel(std::vector<const json*> points, double x, double y) : points_(std::move(points)), x_(x), y_(y) {
    double most = 0;
    for (const json* point : points_) most = std::max(most, point->at("throughput").get<double>());
    most_ = round_up(most);
  }

  [[nodiscard]] std::string svg() const {
    const json& any = *points_.front();
    std::string text = text_at(x_ + kLeft, y_ + 16,
                               any.at("text").get<std::string>() + ", " + any.at("phase").get<std::string>() + ": " +
                                   any.at("unit").get<std::string>() + "/s",
                               "start");
    for (int step = 0; step <= 4; ++step) {
      const double value = most_ * step / 4;
      text += line(x_ + kLeft, y_of(value), x_ + kLeft + kPlotWidth, y_of(value), "stroke=\"#8884\"");
      text += text_at(x_ + kLeft - 6, y_of(value) + 4, number(value), "end");
      text += text_at(x_of(0.25 * step), y_ + kTop + kPlotHeight + 18, std::to_string(25 * step) + " %", "middle");
    }
    for (std::size_t policy = 0; policy < kPolicies.size(); ++policy) text += policy_line(policy);
    return text;
  }

 private:
  [[nodiscard]] double x_of(double share) const { return x_ + kLeft + kPlotWidth * share; }
  [[nodiscard]] double y_of(double rate) const { return y_ + kTop + kPlotHeight * (1 - rate / most_); }

  [[nodiscard]] std::string policy_line(std::size_t policy) const {
    std::vector<std::pair<double, double>> curve;
    for (const json* point : points_) {
      if (point->at("policy") == kPolicies[policy]) {
        curve.emplace_back(point->at("budget_share").get<double>(), point->at("throughput").get<double>());
      }
    }
    if (curve.empty()) return "";
    const std::string colour = "stroke=\"" + std::string(kColours[policy]) + "\" stroke-width=\"2\"";
    if (kPolicies[policy] == "resident" || kPolicies[policy] == "demand") {
      const double y = y_of(curve.front().second);
      return line(x_of(0), y, x_of(1), y, colour + " stroke-dasharray=\"5 4\"");
    }
    std::ranges::sort(curve);
    std::string text = "<polyline fill=\"none\" " + colour + " points=\"";
    for (const auto& [share, rate] : curve) text += number(x_of(share)) + "," + number(y_of(rate)) + " ";
    text += "\"/>\n";
    for (const auto& [share, rate] : curve) {
      text += "<circle cx=\"" + number(x_of(share)) + "\" cy=\"" + number(y_of(rate)) + "\" r=\"3\" fill=\"" +
              kColours[policy] + "\"><title>" + std::string(kPolicies[policy]) + ", " + number(100 * share) +
              " %: " + number(rate) + "</title></circle>\n";
    }
    return text;
  }

  std::vector<const json*> points_;
  double x_;
  double y_;
  double most_ = 1;
};

// Points of one text and phase together, in the order in which they first come.
std::vector<std::vector<const json*>> panels_of(const json& report) {
  std::vector<std::vector<const json*>> panels;
  for (const json& point : report.at("points")) {
    const auto found = std::ranges::find_if(panels, [&](const std::vector<const json*>& panel) {
      return panel.front()->at("text") == point.at("text") && panel.front()->at("phase") == point.at("phase");
    });
    if (found == panels.end()) {
      panels.push_back({&point});
    } else {
      found->push_back(&point);
    }
  }
  return panels;
}

std::string legend(const json& report, double y) {
  std::string text;
  double x = kLeft;
  for (std::size_t policy = 0; policy < kPolicies.size(); ++policy) {
    const bool there = std::ranges::any_of(report.at("points"),
                                           [&](const json& point) { return point.at("policy") == kPolicies[policy]; });
    if (!there) continue;
    text += line(x, y - 4, x + 18, y - 4, "stroke=\"" + std::string(kColours[policy]) + "\" stroke-width=\"2\"");
    text += text_at(x + 24, y, std::string(kPolicies[policy]), "start");
    x += 34 + 7 * static_cast<double>(kPolicies[policy].size());
  }
  return text;
}

}  // namespace

std::string offload_svg(const json& report) {
  constexpr std::size_t kColumns = 3;
  const auto panels = panels_of(report);
  const double width = kWidth * static_cast<double>(std::clamp<std::size_t>(panels.size(), 2, kColumns));
  const double height = kLegend + kHeight * static_cast<double>((panels.size() + kColumns - 1) / kColumns);
  std::string text =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"Throughput over budget\" "
      "viewBox=\"0 0 " +
      number(width) + " " + number(height) + "\" width=\"" + number(width) +
      "\" font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#222\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n";
  for (std::size_t index = 0; index < panels.size(); ++index) {
    text += Panel(panels[index], kWidth * static_cast<double>(index % kColumns),
                  kHeight * static_cast<double>(index / kColumns))
                .svg();
  }
  return text + legend(report, height - 8) + "</svg>\n";
}

}  // namespace sida::bench

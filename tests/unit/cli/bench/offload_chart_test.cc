#include "cli/bench/offload_chart.h"

#include <gmock/gmock.h>

namespace sida::bench {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

json point(const std::string& policy, double share, double throughput, const std::string& text = "short") {
  return {{"text", text},          {"phase", "encode"},        {"policy", policy},
          {"budget_share", share}, {"throughput", throughput}, {"unit", "sources"}};
}

std::size_t count(const std::string& text, const std::string& word) {
  std::size_t found = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
  return found;
}

TEST(OffloadSvg, HasALinePerPolicyAndADotPerBudget) {
  const std::string svg = offload_svg(
      {{"points", {point("lru", 0.5, 3), point("lru", 0.1, 1), point("table", 0.1, 2), point("resident", 1, 4)}}});
  EXPECT_EQ(count(svg, "<polyline"), 2U);
  EXPECT_EQ(count(svg, "<circle"), 3U);
  EXPECT_EQ(count(svg, "stroke-dasharray"), 1U);
  EXPECT_THAT(svg, HasSubstr("<title>lru, 50.0 %: 3.0</title>"));
}

TEST(OffloadSvg, HasAPanelPerTextAndEscapesItsName) {
  const std::string svg = offload_svg({{"points", {point("lru", 0.5, 3), point("lru", 0.5, 3, "<b>")}}});
  EXPECT_THAT(svg, HasSubstr("short, encode: sources/s"));
  EXPECT_THAT(svg, HasSubstr("&lt;b&gt;, encode"));
  EXPECT_THAT(svg, Not(HasSubstr("<b>")));
}

TEST(OffloadSvg, OfNothingIsStillAPicture) {
  const std::string svg = offload_svg({{"points", json::array()}});
  EXPECT_THAT(svg, HasSubstr("<svg"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace sida::bench

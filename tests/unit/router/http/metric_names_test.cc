// docs/metrics.md names exactly the metrics that /metrics serves, and the Grafana dashboard no others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "router/http/metrics.h"
#include "tests/unit/router/http/example_status.h"

namespace sida::router {
namespace {

using Names = std::set<std::string>;

std::string text_of(const std::string& path) {
  std::ifstream file(std::string(SIDA_SOURCE_DIR) + "/" + path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

Names names_in(const std::string& text, const std::string& pattern) {
  const std::regex name(pattern);
  Names names;
  for (std::sregex_iterator found(text.begin(), text.end(), name), end; found != end; ++found) {
    names.insert((*found)[1].str());
  }
  return names;
}

Names served() {
  HttpProbe probe;
  probe.request_answered("/v1/completions", "ok", std::chrono::milliseconds(1));
  return names_in(probe.text(example_status()), "# TYPE (sida_[a-z_]+)");
}

TEST(MetricNames, OfTheDocumentAreThoseServed) {
  EXPECT_EQ(names_in(text_of("docs/metrics.md"), "`(sida_[a-z_]+)[`{]"), served());
}

TEST(MetricNames, OfTheGrafanaDashboardAreServed) {
  const std::string text = text_of("deploy/grafana/sida.json");
  ASSERT_TRUE(nlohmann::json::parse(text, nullptr, false).is_object());
  const Names known = served();
  const Names used = names_in(text, "(sida_[a-z_]+)");
  EXPECT_GE(used.size(), 20U);
  for (const std::string& name : used) {
    // A histogram's samples carry an ending.
    const std::string base = std::regex_replace(name, std::regex("_(bucket|sum|count)$"), "");
    EXPECT_TRUE(known.contains(name) || known.contains(base)) << name;
  }
}

}  // namespace
}  // namespace sida::router

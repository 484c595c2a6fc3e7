#include "cli/evaluation/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/cli/evaluation/evaluation_example.h"

namespace sida::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(MarkdownReport, HasTheFiguresInTables) {
  const std::string text = markdown_report(evaluation_json(test::evaluation(), "learned"));
  EXPECT_THAT(text,
              HasSubstr("| learned | 82.0 % | 94.0 % | 82.4 % | 60.0 % | 80.0 % | 70.0 % | 2.00 MB | 100.0 | 200.0 "
                        "| 1.5 min |"));
  EXPECT_THAT(text, HasSubstr("| encoder.1 | 100.0 % | 82.0 / 94.0 / "));
  EXPECT_THAT(text, HasSubstr("| predicted | gate | 5.000 | 1.250 | 90.0 % |"));
  EXPECT_THAT(text, HasSubstr("| short | predicted | gate | 200 | 49.5 % | 99.0 % | 95.0 % |"));
}

TEST(MarkdownReport, ANameCannotBreakTheTable) {
  auto evaluation = test::evaluation();
  evaluation.held_out.subjects[0].name = "a|b\nc";
  EXPECT_THAT(markdown_report(evaluation_json(evaluation, "")), HasSubstr("| a\\|b c |"));
}

TEST(HtmlReport, IsOnePageWithBarsAndNothingFromElsewhere) {
  const std::string text = html_report(evaluation_json(test::evaluation(), "learned"));
  EXPECT_THAT(text, ::testing::StartsWith("<!doctype html>"));
  EXPECT_THAT(text, HasSubstr("<title>learned, encoder.1, top1: 82.0 %</title>"));
  EXPECT_THAT(text, HasSubstr("<td>49.5 %</td>"));
  EXPECT_THAT(text, Not(HasSubstr("http")));
  EXPECT_THAT(text, Not(HasSubstr("<script")));
}

TEST(HtmlReport, EscapesNames) {
  auto evaluation = test::evaluation();
  evaluation.held_out.subjects[0].name = "<script>\"&";
  const std::string text = html_report(evaluation_json(evaluation, ""));
  EXPECT_THAT(text, Not(HasSubstr("<script")));
  EXPECT_THAT(text, HasSubstr("&lt;script&gt;&quot;&amp;"));
}

}  // namespace
}  // namespace sida::cli

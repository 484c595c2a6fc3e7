#include "common/logging/logging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "common/logging/json_formatter.h"

namespace sida {
namespace {

TEST(Logging, WritesOneLinePerEventToStderr) {
  testing::internal::CaptureStderr();
  ASSERT_TRUE(start_logging("worker-0", "info"));
  spdlog::info("ready endpoint={}", "ipc:///run/w.sock");
  spdlog::debug("not shown");
  spdlog::default_logger()->flush();
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::MatchesRegex("[0-9-]+T[0-9:.]+Z info worker-0 ready endpoint=ipc:///run/w.sock\n"));
}

nlohmann::json json_of(const std::string& text) {
  JsonFormatter formatter;
  spdlog::memory_buf_t line;
  formatter.format(spdlog::details::log_msg("worker-0", spdlog::level::warn, text), line);
  return nlohmann::json::parse(line.begin(), line.end());
}

TEST(JsonFormatter, EveryPairIsAField) {
  const auto line = json_of("request answered id=req-7 ms=1.5 count=12 error=\"two words, x=1\" trace=-");
  EXPECT_EQ(line["message"], "request answered");
  EXPECT_EQ(line["level"], "warning");
  EXPECT_EQ(line["process"], "worker-0");
  EXPECT_THAT(line["time"].get<std::string>(), testing::MatchesRegex("[0-9-]+T[0-9:]+\\.[0-9]+Z"));
  EXPECT_EQ(line["id"], "req-7");
  EXPECT_EQ(line["ms"], 1.5);
  EXPECT_EQ(line["count"], 12);
  EXPECT_EQ(line["error"], "two words, x=1");
  EXPECT_EQ(line["trace"], "-");
  EXPECT_FALSE(line.contains("x"));
}

TEST(JsonFormatter, NothingInALineBreaksIt) {
  EXPECT_EQ(json_of("no pairs")["message"], "no pairs");
  EXPECT_EQ(json_of("")["message"], "");
  EXPECT_EQ(json_of("a=1 a=2")["_a"], 2);
  EXPECT_EQ(json_of("x level=low")["level"], "warning");
  EXPECT_EQ(json_of("x level=low")["_level"], "low");
  EXPECT_EQ(json_of("x open=\"end")["open"], "end");
  EXPECT_EQ(json_of("x empty= next=1")["empty"], "");
  EXPECT_EQ(json_of("x id=007a n=1e999 m=nan")["n"], "1e999");
  EXPECT_EQ(json_of("x bytes=\xff\n\x01")["message"], "x");
}

TEST(Logging, WritesJsonWhenAsked) {
  testing::internal::CaptureStderr();
  ASSERT_TRUE(start_logging("worker-1", "info", "json"));
  spdlog::info("ready port={}", 8000);
  spdlog::default_logger()->flush();
  EXPECT_EQ(nlohmann::json::parse(testing::internal::GetCapturedStderr())["port"], 8000);
  EXPECT_EQ(start_logging("worker-2", "info", "xml").error().code, ErrorCode::kInvalidArgument);
}

TEST(Logging, RefusesUnknownLevels) {
  EXPECT_EQ(start_logging("worker-0", "loud").error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace sida

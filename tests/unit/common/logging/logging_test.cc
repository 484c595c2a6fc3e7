#include "common/logging/logging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

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

TEST(Logging, RefusesUnknownLevels) {
  EXPECT_EQ(start_logging("worker-0", "loud").error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace sida

#include "common/base/result.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>

#include "common/base/checked_math.h"

namespace sida {
namespace {

Result<int> pass_on() {
  SIDA_TRY(Result<int>(fail(ErrorCode::kIo, "disk")));
  return 1;
}

TEST(Result, TryPassesTheErrorOn) {
  EXPECT_EQ(pass_on().error(), (Error{ErrorCode::kIo, "disk"}));
}

TEST(Result, FailAtPutsThePlaceInFront) {
  Result<int> result = fail_at("a.bin", Error{ErrorCode::kInvalidModel, "short"});
  EXPECT_EQ(result.error().message, "a.bin: short");
}

TEST(Result, ExitCodesFollowTheKindOfError) {
  EXPECT_EQ(exit_code(ErrorCode::kInvalidArgument), 2);
  EXPECT_EQ(exit_code(ErrorCode::kInvalidModel), 3);
  EXPECT_EQ(exit_code(ErrorCode::kMismatch), 3);
  EXPECT_EQ(exit_code(ErrorCode::kUnavailable), 1);
}

TEST(CheckedMath, AnswersOverflowInsteadOfWrapping) {
  constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(checked_add(kMax, 1), std::nullopt);
  EXPECT_EQ(checked_mul(kMax, 2), std::nullopt);
  EXPECT_EQ(checked_elements(std::array<std::int64_t, 2>{-1, 2}), std::nullopt);
  EXPECT_EQ(checked_elements(std::array<std::int64_t, 3>{1LL << 40, 1LL << 40, 0}), std::nullopt);
  EXPECT_EQ(checked_elements(std::array<std::int64_t, 2>{3, 4}), 12U);
}

}  // namespace
}  // namespace sida

#include "common/config/quantity.h"

#include <gtest/gtest.h>

namespace sida::config {
namespace {

TEST(Size, TakesBinaryAndDecimalUnits) {
  EXPECT_EQ(parse_size("4096"), 4096U);
  EXPECT_EQ(parse_size("512MiB"), 512ULL << 20U);
  EXPECT_EQ(parse_size("1.5GiB"), 3ULL << 29U);
  EXPECT_EQ(parse_size("64KB"), 64000U);
  EXPECT_EQ(parse_size("0"), 0U);
}

TEST(Size, RefusesWhatIsNotASize) {
  for (const char* text : {"", "GiB", "-1", "8 gigs", "1e3", "99999999999TiB", "nan", "1.2.3MiB"}) {
    EXPECT_EQ(parse_size(text).error().code, ErrorCode::kInvalidArgument) << text;
  }
}

TEST(Size, PrintsTheLargestUnitThatIsExact) {
  EXPECT_EQ(format_size(8ULL << 30U), "8GiB");
  EXPECT_EQ(format_size(3ULL << 29U), "1536MiB");
  EXPECT_EQ(format_size(4097), "4097");
  EXPECT_EQ(format_size(0), "0");
}

TEST(Duration, NeedsAUnitUnlessZero) {
  using std::chrono::milliseconds;
  EXPECT_EQ(parse_duration("250ms"), milliseconds(250));
  EXPECT_EQ(parse_duration("1.5s"), milliseconds(1500));
  EXPECT_EQ(parse_duration("5m"), milliseconds(300000));
  EXPECT_EQ(parse_duration("0"), milliseconds(0));
  EXPECT_FALSE(parse_duration("30"));
  EXPECT_FALSE(parse_duration("-1s"));
}

TEST(Duration, PrintsWhatItParses) {
  for (const char* text : {"250ms", "30s", "5m", "1h", "90s"}) {
    EXPECT_EQ(format_duration(parse_duration(text).value()), text);
  }
}

}  // namespace
}  // namespace sida::config

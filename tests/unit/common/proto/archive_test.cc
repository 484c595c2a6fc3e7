#include "common/proto/archive.h"

#include <gtest/gtest.h>

namespace sida::proto {
namespace {

TEST(FittingText, KeepsPrintableUtf8) {
  EXPECT_EQ(fitting_text("worker-0 \u00e9 \u20ac \U0001f600", 100), "worker-0 \u00e9 \u20ac \U0001f600");
}

TEST(FittingText, CutsBetweenCharacters) {
  EXPECT_EQ(fitting_text("ab\u20ac", 4), "ab");
}

TEST(FittingText, ReplacesWhatALogLineCannotHold) {
  EXPECT_EQ(fitting_text("a\nb\x7f\xff", 100), "a?b??");
  EXPECT_EQ(fitting_text("\xc0\x80", 100), "??");            // Overlong.
  EXPECT_EQ(fitting_text("\xed\xa0\x80", 100), "???");       // A surrogate.
  EXPECT_EQ(fitting_text("\xf4\x90\x80\x80", 100), "????");  // Beyond U+10FFFF.
  EXPECT_EQ(fitting_text("\xc2\x85", 100), "??");            // A control character of two bytes.
  EXPECT_EQ(fitting_text("\xe2\x82", 100), "??");            // Cut short.
}

TEST(FittingText, IsRecognised) {
  EXPECT_TRUE(is_fitting_text("worker-0", 8));
  EXPECT_FALSE(is_fitting_text("worker-0", 7));
  EXPECT_FALSE(is_fitting_text("worker\n", 8));
}

}  // namespace
}  // namespace sida::proto

#include "common/store/read_method.h"

#include <gtest/gtest.h>

namespace sida::store {
namespace {

TEST(ReadMethod, IsDirectUnlessThatIsClearlySlower) {
  EXPECT_EQ(choose_read_method({.direct = 2.0, .buffered = 1.0}), ReadMethod::kDirect);
  EXPECT_EQ(choose_read_method({.direct = 0.9, .buffered = 1.0}), ReadMethod::kDirect);
  EXPECT_EQ(choose_read_method({.direct = 0.5, .buffered = 1.0}), ReadMethod::kBuffered);
}

TEST(ReadMethod, IsBufferedWhereThereIsNothingToCompare) {
  EXPECT_EQ(choose_read_method({.direct = std::nullopt, .buffered = 1.0}), ReadMethod::kBuffered);
  EXPECT_EQ(choose_read_method({}), ReadMethod::kBuffered);
}

}  // namespace
}  // namespace sida::store

// Complete, or not there; and nobody else's files are touched.
#include "common/store/unfinished_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_directory.h"

namespace sida::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class UnfinishedDirectoryTest : public testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path destination() const { return folder_.path() / "dst"; }
  [[nodiscard]] std::filesystem::path partial() const { return folder_.path() / "dst.partial"; }
  [[nodiscard]] Result<UnfinishedDirectory> open(const std::string& identity = "a\n") const {
    return UnfinishedDirectory::open(destination(), identity);
  }

  test::TemporaryDirectory folder_;
};

TEST_F(UnfinishedDirectoryTest, GetsItsNameWhenItIsFinished) {
  auto directory = open();
  ASSERT_TRUE(directory);
  folder_.write("dst.partial/file", "x");
  EXPECT_FALSE(std::filesystem::exists(destination()));
  ASSERT_TRUE(directory->finish());
  EXPECT_TRUE(std::filesystem::exists(destination() / "file"));
  EXPECT_FALSE(std::filesystem::exists(destination() / UnfinishedDirectory::kJournal));
  EXPECT_FALSE(std::filesystem::exists(partial()));
}

TEST_F(UnfinishedDirectoryTest, GoesOnWithWhatAnEqualRunLeft) {
  {
    auto killed = open();
    ASSERT_TRUE(killed);
    ASSERT_TRUE(killed->note("one"));
    ASSERT_TRUE(killed->note("two"));
    folder_.write("dst.partial/file", "x");
  }
  auto next = open();
  ASSERT_TRUE(next);
  EXPECT_THAT(next->notes(), ElementsAre("one", "two"));
  ASSERT_TRUE(next->keep_notes(1));
  ASSERT_TRUE(next->note("three"));
  EXPECT_TRUE(std::filesystem::exists(partial() / "file"));
  next = tl::unexpected(Error{});
  EXPECT_THAT(open()->notes(), ElementsAre("one", "three"));
}

TEST_F(UnfinishedDirectoryTest, ForgetsALineThatWasNotWrittenToItsEnd) {
  { ASSERT_TRUE(open()->note("one")); }
  std::ofstream(partial() / UnfinishedDirectory::kJournal, std::ios::app) << "tw";
  auto next = open();
  ASSERT_TRUE(next);
  EXPECT_THAT(next->notes(), ElementsAre("one"));
  ASSERT_TRUE(next->note("two"));
  next = tl::unexpected(Error{});
  EXPECT_THAT(open()->notes(), ElementsAre("one", "two"));
}

TEST_F(UnfinishedDirectoryTest, ClearsAwayWhatAnotherRunLeft) {
  { ASSERT_TRUE(open()->note("one")); }
  folder_.write("dst.partial/file", "x");
  const auto next = open("b\n");
  ASSERT_TRUE(next);
  EXPECT_THAT(next->notes(), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(partial() / "file"));
}

TEST_F(UnfinishedDirectoryTest, IsWrittenByOneProcessAtATime) {
  const auto first = open();
  ASSERT_TRUE(first);
  const auto second = open();
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("is being written by another process"));
}

TEST_F(UnfinishedDirectoryTest, LeavesADirectoryAloneThatIsNotItsOwn) {
  std::filesystem::create_directory(partial());
  folder_.write("dst.partial/letter", "x");
  const auto directory = open();
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(std::filesystem::exists(partial() / "letter"));
}

TEST_F(UnfinishedDirectoryTest, RefusesADestinationThatExists) {
  std::filesystem::create_directory(destination());
  const auto directory = open();
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(directory.error().message, HasSubstr("exists already; remove it or name another place"));
}

TEST_F(UnfinishedDirectoryTest, NeverReplacesADestinationThatAppearedMeanwhile) {
  auto directory = open();
  ASSERT_TRUE(directory);
  std::filesystem::create_directory(destination());
  EXPECT_EQ(directory->finish().error().code, ErrorCode::kIo);
}

TEST_F(UnfinishedDirectoryTest, IsGoneOnWithWhenItCouldNotGetItsName) {
  {
    auto directory = open();
    ASSERT_TRUE(directory);
    ASSERT_TRUE(directory->note("one"));
    folder_.write("dst.partial/file", "x");
    std::filesystem::create_directory(destination());
    ASSERT_FALSE(directory->finish());
  }
  std::filesystem::remove(destination());
  auto next = open();
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_THAT(next->notes(), ElementsAre("one"));
  EXPECT_TRUE(next->finish());
  EXPECT_TRUE(std::filesystem::exists(destination() / "file"));
}

TEST_F(UnfinishedDirectoryTest, NamesAPlaceThatCannotBeWritten) {
  folder_.write("file", "x");
  const auto directory = UnfinishedDirectory::open(folder_.path() / "file" / "dst", "a\n");
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, ErrorCode::kIo);
  EXPECT_THAT(directory.error().message, HasSubstr("name a place that you may write to"));
}

}  // namespace
}  // namespace sida::store

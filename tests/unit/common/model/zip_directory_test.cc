#include "common/model/zip_directory.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "tests/support/memory_file.h"
#include "tests/support/temporary_directory.h"

namespace sida::model {
namespace {

using testing::HasSubstr;

std::string number(std::uint64_t value, std::size_t width) {
  std::string text;
  for (std::size_t i = 0; i < width; ++i, value >>= 8U) text += static_cast<char>(value & 0xffU);
  return text;
}

// What the directory says about one record; a test changes what it wants to be wrong.
struct Entry {
  std::string name = "m/data/0";
  std::uint64_t bytes = 5;
  std::uint64_t packed_bytes = 5;
  std::uint64_t header_at = 0;
  std::uint64_t method = 0;
  std::uint64_t flags = 0;
  std::string extra;
};

std::string local(const std::string& name = "m/data/0", const std::string& data = "hello") {
  return "PK\x03\x04" + number(0, 14) + number(data.size(), 4) + number(data.size(), 4) + number(name.size(), 2) +
         number(0, 2) + name + data;
}

std::string directory_of(const std::vector<Entry>& entries) {
  std::string text;
  for (const Entry& e : entries) {
    text += "PK\x01\x02" + number(0, 4) + number(e.flags, 2) + number(e.method, 2) + number(0, 8) +
            number(e.packed_bytes, 4) + number(e.bytes, 4) + number(e.name.size(), 2) + number(e.extra.size(), 2) +
            number(0, 10) + number(e.header_at, 4) + e.name + e.extra;
  }
  return text;
}

std::string end_of(std::uint64_t directory_at, std::uint64_t directory_bytes, std::uint64_t entries) {
  return "PK\x05\x06" + number(0, 4) + number(entries, 2) + number(entries, 2) + number(directory_bytes, 4) +
         number(directory_at, 4) + number(0, 2);
}

std::string end64_of(std::uint64_t directory_at, std::uint64_t directory_bytes, std::uint64_t entries) {
  return "PK\x06\x06" + number(44, 8) + number(45, 2) + number(45, 2) + number(0, 8) + number(entries, 8) +
         number(entries, 8) + number(directory_bytes, 8) + number(directory_at, 8) + "PK\x06\x07" + number(0, 4) +
         number(directory_at + directory_bytes, 8) + number(1, 4) + end_of(0xffffffff, 0xffffffff, 0xffff);
}

std::string archive(const std::vector<Entry>& entries, const std::string& records = local()) {
  const std::string directory = directory_of(entries);
  return records + directory + end_of(records.size(), directory.size(), entries.size());
}

std::string refusal(const std::string& bytes) {
  const test::MemoryFile memory(bytes);
  const auto directory = read_zip_directory(ReadOnlyFile::open(memory.path()).value());
  if (directory) return "accepted";
  EXPECT_EQ(directory.error().code, ErrorCode::kInvalidModel);
  return directory.error().message;
}

TEST(ZipDirectory, FindsTheBytesOfARecord) {
  const test::MemoryFile memory(archive({Entry{}}));
  const auto directory = read_zip_directory(ReadOnlyFile::open(memory.path()).value()).value();
  ASSERT_TRUE(directory.contains("m/data/0"));
  EXPECT_EQ(directory.at("m/data/0").offset, 38U);
  EXPECT_EQ(directory.at("m/data/0").bytes, 5U);
}

TEST(ZipDirectory, AcceptsACommentBehindTheEnd) {
  std::string bytes = archive({Entry{}});
  bytes.replace(bytes.size() - 2, 2, number(7, 2));
  EXPECT_EQ(refusal(bytes + "comment"), "accepted");
}

TEST(ZipDirectory, ReadsZip64FieldsInTheirOrder) {
  Entry entry{.bytes = 0xffffffff, .packed_bytes = 0xffffffff, .header_at = 0xffffffff};
  entry.extra = "FB" + number(1, 2) + "Z" + number(1, 2) + number(24, 2) + number(5, 8) + number(5, 8) + number(0, 8);
  EXPECT_EQ(refusal(archive({entry})), "accepted");
  entry.extra = number(1, 2) + number(16, 2) + number(5, 8) + number(5, 8);
  EXPECT_THAT(refusal(archive({entry})), HasSubstr("record 'm/data/0': its ZIP64 field is too short"));
  entry.extra = number(1, 2) + number(999, 2);
  EXPECT_NE(refusal(archive({entry})), "accepted");
}

// A hole in the file, so that nothing of this size is written.
TEST(ZipDirectory, FindsRecordsBehindFourGigabytes) {
  constexpr std::uint64_t kFar = (std::uint64_t{4} << 30U) + 123;
  test::TemporaryDirectory folder;
  const auto path = folder.write("far.bin", local("m/data.pkl", "x"));
  Entry near{.name = "m/data.pkl", .bytes = 1, .packed_bytes = 1};
  Entry far{.header_at = 0xffffffff, .extra = number(1, 2) + number(8, 2) + number(kFar, 8)};
  const std::string directory = directory_of({near, far});
  const std::string tail = local() + directory + end64_of(kFar + local().size(), directory.size(), 2);
  const int descriptor = ::open(path.c_str(), O_WRONLY);
  ASSERT_EQ(::pwrite(descriptor, tail.data(), tail.size(), static_cast<off_t>(kFar)),
            static_cast<ssize_t>(tail.size()));
  ::close(descriptor);

  const auto found = read_zip_directory(ReadOnlyFile::open(path).value());
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(found->at("m/data/0").offset, kFar + 38);
}

TEST(ZipDirectory, RefusesCompressedAndEncryptedRecords) {
  EXPECT_THAT(refusal(archive({Entry{.method = 8}})), HasSubstr("record 'm/data/0' is compressed or encrypted"));
  EXPECT_THAT(refusal(archive({Entry{.packed_bytes = 4}})), HasSubstr("compressed"));
  EXPECT_THAT(refusal(archive({Entry{.flags = 1}})), HasSubstr("encrypted"));
}

TEST(ZipDirectory, RefusesRecordsOutsideTheFile) {
  EXPECT_THAT(refusal(archive({Entry{.bytes = 6, .packed_bytes = 6}})), HasSubstr("do not lie before the directory"));
  EXPECT_THAT(refusal(archive({Entry{.header_at = 4'000'000'000}})), HasSubstr("ends too early"));
  EXPECT_THAT(refusal(archive({Entry{.header_at = 1}})), HasSubstr("local header is damaged"));
}

TEST(ZipDirectory, RefusesRecordsThatOverlap) {
  const std::string two = local("m/a", local("m/b", "hello"));
  const std::uint64_t whole = local("m/b", "hello").size();
  EXPECT_THAT(refusal(archive({Entry{.name = "m/a", .bytes = whole, .packed_bytes = whole},
                               Entry{.name = "m/b", .header_at = two.size() - whole}},
                              two)),
              HasSubstr("overlap"));
}

TEST(ZipDirectory, RefusesANameTwiceAndAnotherNameInTheLocalHeader) {
  EXPECT_THAT(refusal(archive({Entry{}, Entry{}})), HasSubstr("record 'm/data/0' appears twice"));
  EXPECT_THAT(refusal(archive({Entry{.name = "m/data/1"}})), HasSubstr("has another name"));
}

TEST(ZipDirectory, RefusesADirectoryOutsideTheFile) {
  const std::string directory = directory_of({Entry{}});
  EXPECT_THAT(refusal(local() + directory + end_of(local().size() + 1, directory.size(), 1)),
              HasSubstr("does not lie in the file"));
  EXPECT_THAT(refusal(local() + directory + end_of(local().size(), 0xfffffffe, 1)), HasSubstr("does not lie"));
  EXPECT_THAT(refusal(local() + directory + end_of(local().size(), directory.size(), 2)), HasSubstr("lacks records"));
  EXPECT_THAT(refusal(local() + directory + end_of(local().size() - 1, directory.size(), 1)), HasSubstr("damaged"));
  EXPECT_THAT(refusal(local() + directory + end64_of(5, directory.size(), 1)), HasSubstr("lacks its ZIP64 end record"));
  std::string huge = local() + directory + end64_of(local().size(), directory.size(), 1);
  ASSERT_EQ(refusal(huge), "accepted");
  huge.replace(local().size() + directory.size() + 48, 8, 8, '\xff');
  EXPECT_THAT(refusal(huge), HasSubstr("does not lie in the file"));
}

}  // namespace
}  // namespace sida::model

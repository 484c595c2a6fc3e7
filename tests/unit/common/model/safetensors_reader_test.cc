#include "common/model/safetensors_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/memory_file.h"

namespace sida::model {
namespace {

using testing::HasSubstr;

std::string file_of(const std::string& header, const std::string& data) {
  std::string bytes(8, '\0');
  for (unsigned i = 0; i < 8; ++i) bytes[i] = static_cast<char>(header.size() >> (8 * i));
  return bytes + header + data;
}

Result<std::vector<StoredTensor>> read(const std::string& bytes) {
  const test::MemoryFile memory(bytes);
  const auto file = ReadOnlyFile::open(memory.path());
  SIDA_CHECK(file.has_value());
  return read_safetensors(*file);
}

// The message of the refusal; the code is kInvalidModel in every case of this file.
std::string refusal(const std::string& bytes) {
  const auto tensors = read(bytes);
  if (tensors) return "accepted";
  EXPECT_EQ(tensors.error().code, ErrorCode::kInvalidModel);
  return tensors.error().message;
}

std::string refusal_of_header(const std::string& header, std::size_t data_bytes = 8) {
  return refusal(file_of(header, std::string(data_bytes, 'x')));
}

constexpr const char* kTwo =
    R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[1,2],"data_offsets":[4,12]},)"
    R"("a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}  )";

TEST(SafetensorsReader, FindsTensorsInTheFile) {
  const auto tensors = read(file_of(kTwo, std::string(12, 'x')));
  ASSERT_TRUE(tensors.has_value()) << tensors.error().message;
  ASSERT_EQ(tensors->size(), 2U);
  EXPECT_EQ(tensors->at(0).name, "b");
  EXPECT_EQ(tensors->at(0).dtype, DType::kFloat32);
  EXPECT_EQ(tensors->at(0).shape, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(tensors->at(0).offset, 8 + std::string(kTwo).size() + 4);
  EXPECT_EQ(tensors->at(0).bytes, 8U);
}

TEST(SafetensorsReader, AcceptsEmptyAndRankZeroTensors) {
  EXPECT_EQ(refusal_of_header(R"({"e":{"dtype":"F32","shape":[0,5],"data_offsets":[0,0]},)"
                              R"("s":{"dtype":"I64","shape":[],"data_offsets":[0,8]}})"),
            "accepted");
}

TEST(SafetensorsReader, KeepsTensorsOfUnknownTypes) {
  const auto tensors = read(file_of(R"({"q":{"dtype":"F4","shape":[99],"data_offsets":[0,8]}})", std::string(8, 'x')));
  ASSERT_TRUE(tensors.has_value());
  EXPECT_EQ(tensors->front().dtype, std::nullopt);
  EXPECT_EQ(tensors->front().dtype_name, "F4");
}

TEST(SafetensorsReader, RefusesEveryTruncation) {
  const std::string whole = file_of(kTwo, std::string(12, 'x'));
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    EXPECT_NE(refusal(whole.substr(0, bytes)), "accepted") << bytes;
  }
}

TEST(SafetensorsReader, RefusesAHeaderLongerThanTheFile) {
  EXPECT_THAT(refusal(std::string(8, '\xff')), HasSubstr("18446744073709551615 bytes"));
  EXPECT_THAT(refusal(std::string("\x03\0\0\0\0\0\0\0{}", 10)), HasSubstr("3 bytes"));
}

TEST(SafetensorsReader, RefusesAHeaderThatIsNoObject) {
  EXPECT_THAT(refusal_of_header(R"(  {"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})"), HasSubstr("'{'"));
  EXPECT_THAT(refusal_of_header("{\"a\xff\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]}}"),
              HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal_of_header(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}})"),
              HasSubstr("not valid JSON"));
}

TEST(SafetensorsReader, RefusesANameTwice) {
  EXPECT_THAT(refusal_of_header(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                                R"("a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})"),
              HasSubstr("tensor 'a' appears twice"));
  EXPECT_THAT(refusal_of_header(R"({"a":{"dtype":"U8","shape":[8],"shape":[8],"data_offsets":[0,8]}})"),
              HasSubstr("'shape' appears twice"));
}

TEST(SafetensorsReader, RefusesRangesThatOverlapOrLeaveHoles) {
  EXPECT_THAT(refusal_of_header(R"({"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},)"
                                R"("b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})"),
              HasSubstr("tensor 'b': its bytes overlap"));
  EXPECT_THAT(refusal_of_header(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},)"
                                R"("b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})"),
              HasSubstr("tensor 'b': its bytes leave a hole"));
  EXPECT_THAT(refusal_of_header(R"({"a":{"dtype":"U8","shape":[7],"data_offsets":[0,7]}})"),
              HasSubstr("1 bytes after"));
}

TEST(SafetensorsReader, RefusesRangesOutsideTheData) {
  EXPECT_THAT(refusal_of_header(R"({"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}})"), HasSubstr("tensor 'a'"));
  EXPECT_THAT(refusal_of_header(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[8,4]}})"), HasSubstr("tensor 'a'"));
  EXPECT_THAT(refusal_of_header(
                  R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[18446744073709551615,18446744073709551615]}})"),
              HasSubstr("tensor 'a'"));
}

TEST(SafetensorsReader, RefusesShapesThatDoNotFitTheRange) {
  EXPECT_THAT(refusal_of_header(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})"),
              HasSubstr("tensor 'a': shape and dtype do not fit"));
  EXPECT_THAT(refusal_of_header(R"({"a":{"dtype":"F32","shape":[4611686018427387906,4],"data_offsets":[0,8]}})"),
              HasSubstr("shape overflows"));
  EXPECT_THAT(refusal_of_header(R"({"a":{"dtype":"F32","shape":[4611686018427387906],"data_offsets":[0,8]}})"),
              HasSubstr("do not fit"));
  EXPECT_THAT(refusal_of_header(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})"),
              HasSubstr("negative number"));
  EXPECT_THAT(refusal_of_header(R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})"),
              HasSubstr("unexpected number"));
}

TEST(SafetensorsReader, RefusesIncompleteAndUnknownFields) {
  EXPECT_THAT(refusal_of_header(R"({"a":{"dtype":"U8","data_offsets":[0,8]}})"), HasSubstr("is missing"));
  EXPECT_THAT(refusal_of_header(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[8]}})"), HasSubstr("is missing"));
  EXPECT_THAT(refusal_of_header(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8],"x":"y"}})"),
              HasSubstr("unexpected string"));
  EXPECT_THAT(refusal_of_header(R"({"a":5})"), HasSubstr("unexpected number"));
  EXPECT_THAT(refusal_of_header(R"({"a":[[[[[]]]]]})"), HasSubstr("unexpected array"));
}

// A reader that accepts a flipped bit is fine as long as what it answers lies in the file.
TEST(SafetensorsReader, NeverAnswersARangeOutsideTheFileAfterABitFlip) {
  const std::string whole = file_of(kTwo, std::string(12, 'x'));
  for (std::size_t bit = 0; bit < (whole.size() - 12) * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const auto tensors = read(damaged);
    if (!tensors) continue;
    std::uint64_t covered = 0;
    for (const auto& tensor : *tensors) {
      EXPECT_LE(tensor.offset + tensor.bytes, damaged.size());
      covered += tensor.bytes;
    }
    EXPECT_EQ(covered, 12U);
  }
}

}  // namespace
}  // namespace sida::model

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "common/trace/sequence_codec.h"
#include "common/trace/trace_reader.h"
#include "common/trace/trace_writer.h"
#include "tests/support/memory_file.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/traced_example.h"

namespace sida::trace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What a reader finds before the end or the first error.
struct Found {
  std::vector<TracedSequence> sequences;
  std::uint64_t truncated_tail = 0;
  std::string error;
};

Found read_all(const std::filesystem::path& path) {
  Found found;
  auto reader = TraceReader::open(path);
  if (!reader) {
    EXPECT_EQ(reader.error().code, ErrorCode::kInvalidModel);
    found.error = reader.error().message;
    return found;
  }
  while (true) {
    auto sequence = reader->next();
    if (!sequence) {
      EXPECT_EQ(sequence.error().code, ErrorCode::kInvalidModel);
      found.error = sequence.error().message;
      return found;
    }
    if (!*sequence) break;
    found.sequences.push_back(std::move(**sequence));
  }
  found.truncated_tail = reader->truncated_tail();
  return found;
}

class Trace : public ::testing::Test {
 protected:
  // The sequences [first, end), made or resumed.
  void write(std::uint64_t first, std::uint64_t end) {
    auto writer = first == 0 ? TraceWriter::create(path_, header_) : TraceWriter::resume(path_, header_);
    ASSERT_TRUE(writer) << writer.error().message;
    for (std::uint64_t ordinal = first; ordinal < end; ++ordinal) {
      ASSERT_TRUE(writer->append(test::traced_sequence(header_, ordinal)));
    }
    ASSERT_TRUE(writer->finish());
  }

  test::TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_.path() / "a.trace";
  TraceHeader header_ = test::trace_header();
};

TEST_F(Trace, GivesBackWhatWasWritten) {
  for (const std::int32_t experts : {1, 3, 30, 31, 255, 256, 32768}) {
    header_ = test::trace_header(experts);
    std::filesystem::remove(path_);
    write(0, 3);
    EXPECT_EQ(TraceReader::open(path_)->header(), header_);
    EXPECT_THAT(read_all(path_).sequences,
                ElementsAre(test::traced_sequence(header_, 0), test::traced_sequence(header_, 1),
                            test::traced_sequence(header_, 2)));
  }
}

TEST_F(Trace, KeepsNoMoreThanThirtyProbabilities) {
  EXPECT_EQ(test::trace_header(256).top(), 30);
  EXPECT_EQ(test::trace_header(8).top(), 8);
}

TEST_F(Trace, RoundsProbabilitiesToHalfPrecisionAndBoundsThem) {
  auto writer = TraceWriter::create(path_, header_);
  auto sequence = test::traced_sequence(header_, 0);
  auto& values = sequence.encoder[0].top_log_probabilities;
  values[0] = 1e-9F;
  values[1] = -1.2345F;
  values[2] = -1000;
  ASSERT_TRUE(writer->append(sequence));
  const auto read = read_all(path_).sequences.at(0).encoder[0].top_log_probabilities;
  EXPECT_EQ(read[0], 0);
  EXPECT_NEAR(read[1], -1.2345F, 0.0007);
  EXPECT_EQ(read[2], kLogProbabilityMin);
}

TEST_F(Trace, AValueThatIsNotANumberIsRefused) {
  auto writer = TraceWriter::create(path_, header_);
  auto sequence = test::traced_sequence(header_, 0);
  sequence.encoder[0].top_log_probabilities[1] = std::numeric_limits<float>::quiet_NaN();
  ASSERT_TRUE(writer->append(sequence));
  EXPECT_THAT(read_all(path_).error, HasSubstr("not in order"));
}

TEST_F(Trace, TheDecoderReadsTheStartTokenAndTheTargetBeforeItsLast) {
  EXPECT_THAT(decoder_input(header_, test::traced_sequence(header_, 0)), ElementsAre(5, 11, 12));
}

TEST_F(Trace, AnyPositionSeenCanBeReadAgain) {
  write(0, 3);
  auto reader = TraceReader::open(path_);
  std::vector<std::uint64_t> positions;
  for (int index = 0; index < 3; ++index) {
    positions.push_back(reader->position());
    ASSERT_TRUE(reader->next()->has_value());
  }
  reader->seek(positions[1]);
  EXPECT_EQ((*reader->next())->ordinal, 1U);
  reader->rewind();
  EXPECT_EQ((*reader->next())->ordinal, 0U);
}

TEST_F(Trace, GoesOnWhereItStopped) {
  write(0, 2);
  write(2, 4);
  const auto found = read_all(path_);
  EXPECT_EQ(found.sequences.size(), 4U);
  EXPECT_EQ(found.sequences[3], test::traced_sequence(header_, 3));
}

TEST_F(Trace, SaysWhatItHeldWhenItIsResumed) {
  write(0, 2);
  const auto writer = TraceWriter::resume(path_, header_);
  ASSERT_TRUE(writer);
  ASSERT_EQ(writer->recorded().size(), 2U);
  EXPECT_THAT(writer->recorded().at(0).source, ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(writer->recorded().at(0).target, ElementsAre(11, 12, 1));
  EXPECT_THAT(writer->recorded().at(1).target, IsEmpty()) << "written by the model";
}

TEST_F(Trace, AnExistingFileIsNotOverwritten) {
  write(0, 1);
  const auto again = TraceWriter::create(path_, header_);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kIo);
}

TEST_F(Trace, AnotherModelOrTokeniserIsRefused) {
  write(0, 1);
  auto other = header_;
  other.model[0] ^= 1U;
  EXPECT_THAT(TraceWriter::resume(path_, other).error().message, HasSubstr("another model"));
  other = header_;
  other.tokenizer[31] ^= 1U;
  const auto resumed = TraceWriter::resume(path_, other);
  EXPECT_EQ(resumed.error().code, ErrorCode::kMismatch);
  EXPECT_THAT(resumed.error().message, HasSubstr("another tokeniser"));
}

TEST_F(Trace, WhatIsBeyondTheLimitsIsNotWritten) {
  auto writer = TraceWriter::create(path_, header_);
  auto sequence = test::traced_sequence(header_, 0);
  sequence.task.assign(kTaskBytesMax + 1, 'x');
  const auto appended = writer->append(sequence);
  ASSERT_FALSE(appended);
  EXPECT_EQ(appended.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(Trace, EveryCutIsATailAndNeverDamage) {
  write(0, 2);
  const std::string whole = bytes_of(path_);
  auto reader = TraceReader::open(path_);
  ASSERT_TRUE(reader->next());
  const std::uint64_t second = reader->position();
  for (std::size_t size = kHeaderBytes; size < whole.size(); ++size) {
    const auto found = read_all(test::MemoryFile(whole.substr(0, size)).path());
    ASSERT_EQ(found.error, "") << size;
    ASSERT_EQ(found.sequences.size(), size < second ? 0U : 1U) << size;
    ASSERT_EQ(found.truncated_tail, size - (size < second ? kHeaderBytes : second)) << size;
  }
}

TEST_F(Trace, ATailIsCutOffWhenTheFileIsResumed) {
  write(0, 2);
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 1);
  write(1, 3);
  const auto found = read_all(path_);
  EXPECT_EQ(found.error, "");
  EXPECT_EQ(found.truncated_tail, 0U);
  ASSERT_EQ(found.sequences.size(), 3U);
  EXPECT_EQ(found.sequences[1], test::traced_sequence(header_, 1));
}

TEST_F(Trace, EveryChangedByteIsDamageAndTheFileIsNamed) {
  write(0, 2);
  const std::string whole = bytes_of(path_);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    const test::MemoryFile file(changed);
    ASSERT_THAT(read_all(file.path()).error, HasSubstr(file.path().string())) << at;
  }
}

TEST_F(Trace, ADamagedFileIsNotResumed) {
  write(0, 2);
  std::string changed = bytes_of(path_);
  changed[kHeaderBytes + 20] ^= 1;
  directory_.write("a.trace", changed);
  const auto resumed = TraceWriter::resume(path_, header_);
  ASSERT_FALSE(resumed);
  EXPECT_EQ(resumed.error().code, ErrorCode::kInvalidModel);
  EXPECT_EQ(bytes_of(path_), changed) << "and nothing of it is cut off";
}

TEST_F(Trace, AHeaderCutShortIsDamage) {
  write(0, 1);
  const std::string whole = bytes_of(path_);
  for (std::size_t size = 0; size < kHeaderBytes; ++size) {
    EXPECT_NE(read_all(test::MemoryFile(whole.substr(0, size)).path()).error, "") << size;
  }
}

// A payload with its checksum made right again: only the ranges stand between it and who reads.
Result<TracedSequence> decode_changed(const TraceHeader& header, TracedSequence sequence) {
  const auto block = encode_block(header, sequence);
  const std::span<const std::byte> bytes(*block);
  const auto head = decode_block_head(bytes.first<kBlockHeadBytes>());
  return decode_payload(header, *head, bytes.subspan(kBlockHeadBytes));
}

TEST(TraceCodec, RefusesWhatIsOutOfRange) {
  const auto header = test::trace_header();
  const auto good = test::traced_sequence(header, 0);
  ASSERT_TRUE(decode_changed(header, good));
  auto changed = good;
  changed.source[0] = header.vocab_size;
  EXPECT_THAT(decode_changed(header, changed).error().message, HasSubstr("vocabulary"));
  changed = good;
  changed.target[0] = -1;
  EXPECT_THAT(decode_changed(header, changed).error().message, HasSubstr("vocabulary"));
  changed = good;
  changed.encoder[1].gate[0] = -1;
  EXPECT_THAT(decode_changed(header, changed).error().message, HasSubstr("expert id"));
  changed = good;
  changed.decoder[0].served[0] = 3;
  EXPECT_THAT(decode_changed(header, changed).error().message, HasSubstr("expert id"));
  changed = good;
  changed.encoder[0].top_experts[1] = changed.encoder[0].top_experts[0];
  EXPECT_THAT(decode_changed(header, changed).error().message, HasSubstr("not in order"));
  changed = good;
  std::swap(changed.encoder[0].top_log_probabilities[0], changed.encoder[0].top_log_probabilities[1]);
  EXPECT_THAT(decode_changed(header, changed).error().message, HasSubstr("not in order"));
}

}  // namespace
}  // namespace sida::trace

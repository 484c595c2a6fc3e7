#include "common/transport/sharedmemory/ring.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "common/runtime/clock.h"

namespace sida::transport::sharedmemory {
namespace {

constexpr std::size_t kRingBytes = 64U << 10U;
constexpr std::size_t kMessageBytesMax = 1U << 20U;
constexpr std::size_t kMessagesMax = 8;

Frame frame_of(const std::string& text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return Frame::take({begin, begin + text.size()});
}

std::string text_of(const Frame& frame) {
  return {reinterpret_cast<const char*>(frame.data()), frame.size()};
}

// Both ends of one direction, each with a mapping of its own as in two processes.
class RingOf : public testing::Test {
 protected:
  explicit RingOf(std::size_t ring_bytes) : ours_(*Segment::make(ring_bytes)), theirs_(adopted(ours_)) {}

  static Segment adopted(const Segment& made) {
    auto segment = Segment::adopt(Descriptor(dup(made.descriptor())), made.ring_bytes());
    SIDA_CHECK(segment.has_value());
    return std::move(*segment);
  }
  // Pages that the system holds for the memory, bytes.
  std::size_t held_bytes() const {
    struct stat status {};
    SIDA_CHECK(fstat(ours_.descriptor(), &status) == 0);
    return static_cast<std::size_t>(status.st_blocks) * 512;
  }
  bool write(const std::string& envelope, const std::string& rows) {
    return writer_.write({frame_of(envelope), frame_of(rows)}).has_value();
  }
  std::string read() {
    const auto message = reader_.read();
    if (!message) return "damaged";
    return *message ? text_of((*message)->envelope) + "|" + text_of((*message)->rows) : "nothing";
  }

  Segment ours_;
  Segment theirs_;
  RingWriter writer_{ours_, Direction::kToServer, kMessagesMax};
  RingReader reader_{theirs_, Direction::kToServer, kMessageBytesMax};
};

class Ring : public RingOf {
 protected:
  Ring() : RingOf(kRingBytes) {}
};

class LargeRing : public RingOf {
 protected:
  LargeRing() : RingOf(64U << 20U) {}
};

TEST_F(Ring, HandsOverEnvelopesAndRowsInOrder) {
  ASSERT_TRUE(write("first", "rows"));
  ASSERT_TRUE(write("second", ""));
  ASSERT_TRUE(write("", ""));
  EXPECT_EQ(read(), "first|rows");
  EXPECT_EQ(read(), "second|");
  EXPECT_EQ(read(), "|");
  EXPECT_EQ(read(), "nothing");
}

TEST_F(Ring, TakesNoMoreMessagesThanItsBound) {
  for (std::size_t i = 0; i < kMessagesMax; ++i) ASSERT_TRUE(write("x", ""));
  const auto refused = writer_.write({frame_of("x"), {}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kOverloaded);
  EXPECT_EQ(read(), "x|");
  EXPECT_TRUE(write("x", ""));
}

TEST_F(Ring, TakesNoMoreBytesThanItHas) {
  ASSERT_TRUE(write("", std::string(kRingBytes / 2, 'a')));
  const auto refused = writer_.write({{}, frame_of(std::string(kRingBytes / 2, 'b'))});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kOverloaded);
  EXPECT_EQ(read().size(), kRingBytes / 2 + 1);
  EXPECT_EQ(read(), "nothing");
}

TEST_F(Ring, RefusesWhatCanNeverFit) {
  const auto refused = writer_.write({{}, frame_of(std::string(kRingBytes, 'x'))});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
}

// Sizes that meet the end of the ring in every way, with a message always left, so that the writer cannot go back.
TEST_F(Ring, CarriesRecordsPastItsEnd) {
  std::mt19937 random(1);
  std::vector<std::string> expected;
  std::size_t next = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::string envelope(random() % 200, static_cast<char>('a' + i % 26));
    const std::string rows(random() % 12000, static_cast<char>('A' + i % 26));
    ASSERT_TRUE(write(envelope, rows));
    expected.push_back(envelope + "|" + rows);
    if (i <= 2) continue;
    ASSERT_EQ(read(), expected[next++]) << i;
  }
}

TEST_F(LargeRing, UsesItsFirstBytesAgainWhenAllWasRead) {
  for (int i = 0; i < 5000; ++i) {
    ASSERT_TRUE(write("envelope", std::string(1536, static_cast<char>('a' + i % 26))));
    ASSERT_EQ(read(), "envelope|" + std::string(1536, static_cast<char>('a' + i % 26)));
  }
  EXPECT_LE(held_bytes(), 1U << 20U);
}

TEST_F(LargeRing, ReadsOnAfterGoingBackWithMessagesOfEverySize) {
  std::mt19937 random(2);
  for (int i = 0; i < 2000; ++i) {
    const std::string rows(random() % 300000, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(write("e", rows));
    ASSERT_TRUE(write("", "between"));
    ASSERT_TRUE(read() == "e|" + rows) << i;
    ASSERT_EQ(read(), "|between") << i;
  }
}

TEST_F(LargeRing, GivesMemoryBackAfterMuchWasOnItsWay) {
  const std::string rows(1U << 20U, 'x');
  for (std::size_t i = 0; i < kMessagesMax; ++i) ASSERT_TRUE(write("", rows));
  for (int i = 0; i < 40; ++i) {  // Something is always left, so it cannot go back.
    ASSERT_EQ(read().size(), rows.size() + 1);
    ASSERT_TRUE(write("", rows));
  }
  EXPECT_GT(held_bytes(), 40U << 20U);
  for (std::size_t i = 0; i < kMessagesMax; ++i) ASSERT_EQ(read().size(), rows.size() + 1);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(write("", "small"));
    ASSERT_EQ(read(), "|small");
  }
  EXPECT_LE(held_bytes(), 33U << 20U);
}

TEST_F(Ring, RingsOncePerSleep) {
  ASSERT_TRUE(write("x", ""));
  EXPECT_FALSE(writer_.take_sleeper());
  reader_.sleep();
  ASSERT_TRUE(write("y", ""));
  EXPECT_TRUE(writer_.take_sleeper());
  ASSERT_TRUE(write("z", ""));
  EXPECT_FALSE(writer_.take_sleeper());
}

TEST_F(Ring, RingsForNobodyWhoReadsOn) {
  reader_.sleep();
  reader_.wake();
  ASSERT_TRUE(write("x", ""));
  EXPECT_FALSE(writer_.take_sleeper());
}

TEST_F(Ring, DoesNotShowAMessageThatItsWriterDidNotFinish) {
  std::memset(ours_.data(Direction::kToServer), 0x11, 1000);  // As a process that dies on its way leaves it.
  EXPECT_EQ(read(), "nothing");
}

TEST_F(Ring, IsDamagedWhenMoreWasWrittenThanItHolds) {
  auto& written = ours_.control(Direction::kToServer).written;
  for (const std::uint64_t position : {std::uint64_t{kRingBytes} + 16, std::uint64_t{17}, ~std::uint64_t{0}}) {
    written = position;
    EXPECT_EQ(read(), "damaged") << position;
  }
}

TEST_F(Ring, IsDamagedWhenARecordIsLongerThanWhatWasWritten) {
  ASSERT_TRUE(write("envelope", "rows"));
  std::byte* const record = ours_.data(Direction::kToServer);
  for (const std::uint64_t size : {std::uint64_t{33}, std::uint64_t{kRingBytes}, std::uint64_t{kMessageBytesMax} + 1,
                                   ~std::uint64_t{0}, ~std::uint64_t{0} - 7, ~std::uint64_t{0} - 31}) {
    std::memcpy(record, &size, sizeof size);
    EXPECT_EQ(read(), "damaged") << size;
    std::memcpy(record + 8, &size, sizeof size);
    EXPECT_EQ(read(), "damaged") << size;
  }
}

TEST_F(Ring, IsDamagedWhenNothingFollowsASkip) {
  ASSERT_TRUE(write("envelope", "rows"));
  std::memcpy(ours_.data(Direction::kToServer), &kSkip, sizeof kSkip);
  EXPECT_EQ(read(), "damaged");
}

TEST_F(Ring, WritesNoMoreForAReaderThatHasReadWhatWasNeverWritten) {
  ASSERT_TRUE(write("x", ""));
  ASSERT_EQ(read(), "x|");
  ASSERT_TRUE(write("y", ""));  // Its writer has seen that the first was read.
  auto& position = theirs_.control(Direction::kToServer).read;
  const std::uint64_t right = position;
  for (const std::uint64_t wrong : {right + 48, right - 16, ~std::uint64_t{0}}) {
    position = wrong;
    const auto refused = writer_.write({frame_of("z"), {}});
    ASSERT_FALSE(refused.has_value()) << wrong;
    EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable) << wrong;
  }
  position = right;
  EXPECT_TRUE(write("z", ""));
}

std::uint64_t nasty_word(std::mt19937_64& random) {
  switch (random() % 6) {
    case 0:
      return kSkip;
    case 1:
      return random();
    case 2:
      return random() % 16 * 16;
    case 3:
      return random() % (2 * kRingBytes);
    case 4:
      return ~std::uint64_t{0} - random() % 64;
    default:
      return random() % kMessageBytesMax;
  }
}

// Damages control words, record headers and payload at random, in turn with honest writes.
TEST_F(Ring, SurvivesAnyDamage) {
  std::size_t damaged = 0;
  std::size_t messages = 0;
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    std::mt19937_64 random(seed);
    const Segment ours = *Segment::make(kRingBytes);
    const Segment theirs = adopted(ours);
    RingWriter writer(ours, Direction::kToServer, kMessagesMax);
    RingReader reader(theirs, Direction::kToServer, kMessageBytesMax);
    RingControl& control = ours.control(Direction::kToServer);
    for (int step = 0; step < 30; ++step) {
      const Frame rows = Frame::take(std::vector<std::byte>(random() % 9000));
      [[maybe_unused]] const auto written = writer.write({frame_of("envelope"), rows});
      const std::uint64_t word = nasty_word(random);
      const std::uint64_t place = random() % 12;
      if (place == 0) control.written = word;
      if (place == 1) control.read = word;
      if (place == 2) control.asleep = static_cast<std::uint32_t>(word);
      if (place == 3) control.written += word % 4 * 16;
      if (place > 3) std::memcpy(ours.data(Direction::kToServer) + random() % (kRingBytes / 8) * 8, &word, sizeof word);
      auto message = reader.read();
      if (!message) {
        ++damaged;
        break;
      }
      if (!*message) continue;
      ++messages;
      ASSERT_LE((*message)->envelope.size() + (*message)->rows.size(), kRingBytes);
    }
  }
  EXPECT_GT(damaged, 500U);  // Of both kinds there were many.
  EXPECT_GT(messages, 5000U);
}

// The peer goes on writing while the reader looks: what was checked is what is used.
TEST_F(Ring, SurvivesDamageWhileItReads) {
  std::atomic<bool> stop{false};
  std::thread vandal([&] {
    std::mt19937_64 random(7);
    while (!stop) {
      std::byte* const data = ours_.data(Direction::kToServer);
      for (int i = 0; i < 64; ++i) {
        const std::uint64_t word = nasty_word(random);
        std::memcpy(data + random() % 64 * 16, &word, sizeof word);
        std::memcpy(data + random() % 64 * 16 + 8, &word, sizeof word);
      }
      ours_.control(Direction::kToServer).written = random() % 512 * 16;
    }
  });
  int messages = 0;
  constexpr int kMessages = 1000;
  const TimePoint until = steady_now() + std::chrono::seconds(60);
  while (messages < kMessages && steady_now() < until) {
    RingReader reader(theirs_, Direction::kToServer, kMessageBytesMax);
    const auto message = reader.read();
    if (!message || !*message) continue;
    ++messages;
    EXPECT_LE((*message)->envelope.size() + (*message)->rows.size(), 512U * 16);
  }
  stop = true;
  vandal.join();
  EXPECT_EQ(messages, kMessages);
}

TEST(Segment, RefusesMemoryThatCanShrinkOrHasAnotherSize) {
  const auto adopt = [](int descriptor) { return Segment::adopt(Descriptor(dup(descriptor)), kRingBytes); };
  const Segment made = *Segment::make(kRingBytes);
  EXPECT_TRUE(adopt(made.descriptor()).has_value());
  const Segment larger = *Segment::make(2 * kRingBytes);
  EXPECT_EQ(adopt(larger.descriptor()).error().code, ErrorCode::kMalformedMessage);
  const Descriptor unsealed(memfd_create("test", MFD_ALLOW_SEALING));
  struct stat status {};
  ASSERT_EQ(fstat(made.descriptor(), &status), 0);
  ASSERT_EQ(ftruncate(unsealed.get(), status.st_size), 0);
  EXPECT_EQ(adopt(unsealed.get()).error().code, ErrorCode::kMalformedMessage);
  EXPECT_EQ(adopt(0).error().code, ErrorCode::kMalformedMessage);  // No memory at all.
  EXPECT_EQ(adopt(-1).error().code, ErrorCode::kMalformedMessage);
}

TEST(Segment, CannotBeShrunkByItsPeer) {
  const Segment made = *Segment::make(kRingBytes);
  EXPECT_NE(ftruncate(made.descriptor(), 4096), 0);
}

}  // namespace
}  // namespace sida::transport::sharedmemory

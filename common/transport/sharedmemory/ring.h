// One direction of a link: records in a ring of shared memory, one writer and one reader.
//
// A record is two words (bytes of the envelope and of the rows), the envelope, and the rows, each padded to 16 bytes. A
// record becomes visible by one store of the position behind it, so a writer that dies in the middle leaves nothing.
// When everything was read, the writer goes back to the ring's first bytes, which are still in the caches; a first word
// of kSkip says so.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "common/base/result.h"
#include "common/transport/sharedmemory/segment.h"
#include "common/transport/tensor_channel.h"

namespace sida::transport::sharedmemory {

inline constexpr std::uint64_t kSkip = ~std::uint64_t{0};
inline constexpr std::size_t kPadding = 16;

// The least ring that takes any message whose parts are within `message_bytes_max`, unless both are that large.
std::size_t ring_bytes_for(std::size_t message_bytes_max);

// Both: one thread; the segment outlives them and stays where it is.

class RingWriter {
 public:
  RingWriter(const Segment& segment, Direction direction, std::size_t messages_max);

  // Nothing is written on an error. kOverloaded: no room, or no memory for it. kInvalidArgument: larger than the ring.
  // kUnavailable: the reader says that it has read what was never written; the ring is of no more use.
  Result<void> write(const TensorMessage& message);
  // True when the reader sleeps and this call took it upon itself to ring. After write().
  bool take_sleeper();

 private:
  Result<void> look_at_reader();
  [[nodiscard]] bool may_rewind(std::size_t record_bytes) const;
  Result<std::uint64_t> make_room(std::size_t bytes);
  bool take_pages_up_to(std::size_t end);
  [[nodiscard]] std::size_t offset() const { return static_cast<std::size_t>(written_) & (segment_.ring_bytes() - 1); }

  const Segment& segment_;
  const Direction direction_;
  const std::size_t messages_max_;
  std::uint64_t written_ = 0;
  std::uint64_t read_ = 0;             // As the reader said last, checked.
  std::deque<std::uint64_t> unread_;   // Positions behind the records that were not read.
  std::size_t pages_taken_up_to_ = 0;  // Of the ring.
};

class RingReader {
 public:
  RingReader(const Segment& segment, Direction direction, std::size_t message_bytes_max);

  // Nothing when the ring is empty. Memory of the message is the caller's own: nobody else writes it.
  // kMalformedMessage: the writer breaks the rules; nothing more can be read, ever.
  Result<std::optional<TensorMessage>> read();
  // From now on the writer rings after a write. Read once more before waiting for it.
  void sleep();
  // Back to reading without being asked to. Cheap.
  void wake();

 private:
  struct Record {
    std::size_t envelope_bytes;
    std::size_t rows_bytes;
    std::size_t bytes;  // Of all of it.
  };
  [[nodiscard]] std::optional<Record> record_within(std::uint64_t available) const;
  [[nodiscard]] std::size_t offset() const { return static_cast<std::size_t>(read_) & (segment_.ring_bytes() - 1); }

  const Segment& segment_;
  const Direction direction_;
  const std::size_t message_bytes_max_;
  std::uint64_t read_ = 0;
  bool asleep_ = false;
};

}  // namespace sida::transport::sharedmemory

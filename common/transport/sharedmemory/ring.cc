#include "common/transport/sharedmemory/ring.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <string>

namespace sida::transport::sharedmemory {
namespace {

constexpr std::size_t kHeaderBytes = 2 * sizeof(std::uint64_t);
constexpr std::size_t kEnvelopeRoom = 8U << 20U;  // Beside rows of the largest size.
constexpr std::size_t kRewindBytes = 64U << 10U;  // Used before the writer goes back: small enough for every cache.
constexpr std::size_t kPagesStep = 256U << 10U;   // Taken at once.
constexpr std::size_t kPagesKept = 32U << 20U;    // What a router may have in flight (Welcome's credit) stays.

constexpr std::size_t padded(std::size_t bytes) {
  return (bytes + kPadding - 1) / kPadding * kPadding;
}

// Loaded once: the compiler must not look again at what the peer may change meanwhile.
std::uint64_t load_once(std::byte* at) {
  return std::atomic_ref(*reinterpret_cast<std::uint64_t*>(at)).load(std::memory_order_relaxed);
}

void store(std::byte* at, std::uint64_t word) {
  std::memcpy(at, &word, sizeof word);
}

void copy_into(std::byte* at, const Frame& part) {
  if (part.size() > 0) std::memcpy(at, part.data(), part.size());
}

// An own copy, aligned to 8 bytes.
Frame copy_of(const std::byte* from, std::size_t bytes) {
  if (bytes == 0) return {};
  auto memory =
      std::make_shared_for_overwrite<std::uint64_t[]>((bytes + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t));
  std::memcpy(memory.get(), from, bytes);
  const std::uint64_t* data = memory.get();
  return {data, bytes, std::move(memory)};
}

}  // namespace

std::size_t ring_bytes_for(std::size_t message_bytes_max) {
  return std::bit_ceil(message_bytes_max + kEnvelopeRoom);
}

RingWriter::RingWriter(const Segment& segment, Direction direction, std::size_t messages_max)
    : segment_(segment), direction_(direction), messages_max_(messages_max) {}

Result<void> RingWriter::look_at_reader() {
  const std::uint64_t read = segment_.control(direction_).read.load(std::memory_order_acquire);
  if (read - read_ > written_ - read_) return fail(ErrorCode::kUnavailable, "the peer's ring is damaged");
  read_ = read;
  while (!unread_.empty() && unread_.front() <= read_) unread_.pop_front();
  return {};
}

// When all is read the first bytes are free, up to where the marker lies.
bool RingWriter::may_rewind(std::size_t record_bytes) const {
  return read_ == written_ && offset() >= kRewindBytes && record_bytes <= offset();
}

bool RingWriter::take_pages_up_to(std::size_t end) {
  const std::size_t needed = std::min(end, segment_.ring_bytes());
  if (needed <= pages_taken_up_to_) return true;
  const std::size_t up_to = std::min((needed + kPagesStep - 1) / kPagesStep * kPagesStep, segment_.ring_bytes());
  if (!segment_.take_pages(direction_, pages_taken_up_to_, up_to)) return false;
  pages_taken_up_to_ = up_to;
  return true;
}

// Where a record of so many bytes begins, with pages below it: behind the last one, or back at the ring's first byte.
Result<std::uint64_t> RingWriter::make_room(std::size_t bytes) {
  const auto no_memory = [] { return fail(ErrorCode::kOverloaded, "no memory for a message"); };
  const std::size_t ring_bytes = segment_.ring_bytes();
  if (may_rewind(bytes)) {
    if (!take_pages_up_to(offset() + kHeaderBytes)) return no_memory();
    store(segment_.data(direction_) + offset(), kSkip);
    return written_ + (ring_bytes - offset());
  }
  if (bytes > ring_bytes - (written_ - read_)) return fail(ErrorCode::kOverloaded, "the peer's ring is full");
  const bool spare_pages = pages_taken_up_to_ > kPagesKept && offset() + bytes <= kPagesKept;
  if (read_ == written_ && spare_pages) {
    segment_.give_pages_back(direction_, kPagesKept, pages_taken_up_to_);
    pages_taken_up_to_ = kPagesKept;
  }
  if (!take_pages_up_to(offset() + bytes)) return no_memory();
  return written_;
}

Result<void> RingWriter::write(const TensorMessage& message) {
  const std::size_t bytes = kHeaderBytes + padded(message.envelope.size()) + padded(message.rows.size());
  const std::size_t ring_bytes = segment_.ring_bytes();
  if (bytes > ring_bytes) return fail(ErrorCode::kInvalidArgument, "a message is larger than the link's ring");
  SIDA_TRY(look_at_reader());
  if (unread_.size() >= messages_max_) return fail(ErrorCode::kOverloaded, "the peer's queue is full");
  const auto start = make_room(bytes);
  if (!start) return tl::unexpected(start.error());
  std::byte* const record = segment_.data(direction_) + (*start & (ring_bytes - 1));
  store(record, message.envelope.size());
  store(record + sizeof(std::uint64_t), message.rows.size());
  copy_into(record + kHeaderBytes, message.envelope);
  copy_into(record + kHeaderBytes + padded(message.envelope.size()), message.rows);
  written_ = *start + bytes;
  unread_.push_back(written_);
  // Before take_sleeper() looks, in one order for all threads: either it sees that the reader sleeps, or the reader,
  // which looks once more before it waits, sees the record.
  segment_.control(direction_).written.store(written_, std::memory_order_seq_cst);
  return {};
}

bool RingWriter::take_sleeper() {
  auto& asleep = segment_.control(direction_).asleep;
  return asleep.load(std::memory_order_seq_cst) != 0 && asleep.exchange(0, std::memory_order_seq_cst) != 0;
}

RingReader::RingReader(const Segment& segment, Direction direction, std::size_t message_bytes_max)
    : segment_(segment), direction_(direction), message_bytes_max_(message_bytes_max) {}

std::optional<RingReader::Record> RingReader::record_within(std::uint64_t available) const {
  if (available < kHeaderBytes) return std::nullopt;
  std::byte* const at = segment_.data(direction_) + offset();
  const std::uint64_t envelope_bytes = load_once(at);
  const std::uint64_t rows_bytes = load_once(at + sizeof(std::uint64_t));
  if (envelope_bytes > message_bytes_max_ || rows_bytes > message_bytes_max_) return std::nullopt;
  const std::size_t bytes = kHeaderBytes + padded(envelope_bytes) + padded(rows_bytes);
  if (bytes > available) return std::nullopt;
  return Record{envelope_bytes, rows_bytes, bytes};
}

Result<std::optional<TensorMessage>> RingReader::read() {
  const auto damaged = [] { return fail(ErrorCode::kMalformedMessage, "the peer's ring is damaged"); };
  RingControl& control = segment_.control(direction_);
  std::uint64_t available = control.written.load(std::memory_order_seq_cst) - read_;
  if (available == 0) return std::nullopt;
  if (available > segment_.ring_bytes() || available % kPadding != 0) return damaged();
  std::byte* const data = segment_.data(direction_);
  if (load_once(data + offset()) == kSkip) {
    const std::size_t skipped = segment_.ring_bytes() - offset();
    if (skipped >= available) return damaged();
    read_ += skipped;
    available -= skipped;
  }
  const auto record = record_within(available);
  if (!record) return damaged();
  const std::byte* envelope = data + offset() + kHeaderBytes;
  TensorMessage message{copy_of(envelope, record->envelope_bytes),
                        copy_of(envelope + padded(record->envelope_bytes), record->rows_bytes)};
  read_ += record->bytes;
  control.read.store(read_, std::memory_order_release);
  return message;
}

void RingReader::sleep() {
  asleep_ = true;
  segment_.control(direction_).asleep.store(1, std::memory_order_seq_cst);
}

void RingReader::wake() {
  if (!asleep_) return;
  asleep_ = false;
  segment_.control(direction_).asleep.store(0, std::memory_order_relaxed);
}

}  // namespace sida::transport::sharedmemory

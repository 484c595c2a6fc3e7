// The memory that the two ends of a link share: a memfd of fixed size with one ring for each direction.
//
// The client makes it and hands its descriptor to the server (rendezvous.h). Nothing has a name in the file system, so
// nothing is left behind by a process that dies; the memory is freed when both ends have let go of it.
// What lies in it is written by another process: every word is loaded once, checked, and only then used.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "common/base/result.h"
#include "common/transport/unixsocket/descriptor.h"

namespace sida::transport::sharedmemory {

enum class Direction { kToServer = 0, kToClient = 1 };

// The words of one ring. Positions count bytes since the ring was made and never turn back. Each word has a cache line
// of its own, since different processors write them.
struct RingControl {
  alignas(64) std::atomic<std::uint64_t> written;  // By the writer: up to here records are complete.
  alignas(64) std::atomic<std::uint64_t> read;     // By the reader: up to here they were taken.
  alignas(64) std::atomic<std::uint32_t> asleep;   // 1: the reader waits for a bell; the writer resets it and rings.
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free && std::atomic<std::uint32_t>::is_always_lock_free);

// One end's mapping. Any thread, but each ring's ends belong to one thread each.
class Segment {
 public:
  // `ring_bytes`: of each direction, a power of two of at least 64 KiB. Address space, not memory: pages are taken when
  // they are first used. kIo: the system has no such memory, descriptors or address space.
  static Result<Segment> make(std::size_t ring_bytes);
  // Maps what a peer has handed over. kMalformedMessage unless it is a memfd of exactly this size that nobody can
  // shrink: reading beyond a file's end would end the process.
  static Result<Segment> adopt(Descriptor memory, std::size_t ring_bytes);

  Segment(Segment&& other) noexcept;
  Segment& operator=(Segment&& other) noexcept;
  ~Segment() { unmap(); }

  [[nodiscard]] RingControl& control(Direction direction) const;
  // The ring's bytes twice in a row, so that a record that passes the end is contiguous. [2 * ring_bytes()]
  [[nodiscard]] std::byte* data(Direction direction) const;
  [[nodiscard]] std::size_t ring_bytes() const { return ring_bytes_; }
  // 1 as soon as the server has mapped it.
  [[nodiscard]] std::atomic<std::uint32_t>& accepted() const;
  [[nodiscard]] int descriptor() const { return memory_.get(); }

  // Takes pages for a ring's bytes [begin, end) now. False when there is no memory, which would end the process if it
  // showed on a write.
  [[nodiscard]] bool take_pages(Direction direction, std::size_t begin, std::size_t end) const;
  // Gives them back; what was there reads as zero.
  void give_pages_back(Direction direction, std::size_t begin, std::size_t end) const;

 private:
  Segment(Descriptor memory, std::size_t ring_bytes) : memory_(std::move(memory)), ring_bytes_(ring_bytes) {}
  Result<void> map();
  void unmap();
  [[nodiscard]] std::size_t mapped_bytes() const;

  Descriptor memory_;
  std::size_t ring_bytes_;
  std::byte* base_ = nullptr;
};

}  // namespace sida::transport::sharedmemory

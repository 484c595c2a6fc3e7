#include "common/transport/sharedmemory/segment.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <new>
#include <string>
#include <utility>

namespace sida::transport::sharedmemory {
namespace {

constexpr std::size_t kRingBytesMin = 64U << 10U;
constexpr std::size_t kControlBytes = 64U << 10U;  // A multiple of every page size.
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

// What the first bytes of the memory are.
struct Controls {
  RingControl rings[2];
  alignas(64) std::atomic<std::uint32_t> accepted;
};
static_assert(sizeof(Controls) <= kControlBytes);

tl::unexpected<Error> refuse(const std::string& what) {
  return fail(ErrorCode::kIo, "shared memory: cannot " + what + ": " + std::strerror(errno));
}

std::size_t file_bytes(std::size_t ring_bytes) {
  return kControlBytes + 2 * ring_bytes;
}

std::size_t ring_offset(Direction direction, std::size_t ring_bytes) {
  return kControlBytes + static_cast<std::size_t>(direction) * ring_bytes;
}

int change_pages(int descriptor, int mode, std::size_t offset, std::size_t bytes) {
  int failed = 0;
  do {
    failed = fallocate(descriptor, mode, static_cast<off_t>(offset), static_cast<off_t>(bytes));
  } while (failed != 0 && errno == EINTR);
  return failed;
}

}  // namespace

Result<Segment> Segment::make(std::size_t ring_bytes) {
  SIDA_CHECK(std::has_single_bit(ring_bytes) && ring_bytes >= kRingBytesMin);
  Descriptor memory(memfd_create("sida-rows", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory) return refuse("make it");
  if (ftruncate(memory.get(), static_cast<off_t>(file_bytes(ring_bytes))) != 0) return refuse("give it a size");
  if (fcntl(memory.get(), F_ADD_SEALS, kSeals) != 0) return refuse("seal its size");
  Segment segment(std::move(memory), ring_bytes);
  SIDA_TRY(segment.map());
  if (change_pages(segment.descriptor(), 0, 0, kControlBytes) != 0) return refuse("take pages");
  new (segment.base_) Controls{};
  return segment;
}

Result<Segment> Segment::adopt(Descriptor memory, std::size_t ring_bytes) {
  const int seals = fcntl(memory.get(), F_GET_SEALS);
  struct stat status {};
  const bool fits = seals >= 0 && (seals & kSeals) == kSeals && fstat(memory.get(), &status) == 0 &&
                    status.st_size == static_cast<off_t>(file_bytes(ring_bytes));
  if (!fits) return fail(ErrorCode::kMalformedMessage, "the peer's shared memory has another size or can shrink");
  Segment segment(std::move(memory), ring_bytes);
  SIDA_TRY(segment.map());
  return segment;
}

// Control words, then each ring twice: the second mapping of the same bytes begins where the first ends.
Result<void> Segment::map() {
  const int access = PROT_READ | PROT_WRITE;
  void* reserved = mmap(nullptr, mapped_bytes(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return refuse("reserve addresses");
  base_ = static_cast<std::byte*>(reserved);
  const auto place = [&](std::byte* at, std::size_t offset, std::size_t bytes) {
    return mmap(at, bytes, access, MAP_SHARED | MAP_FIXED, descriptor(), static_cast<off_t>(offset)) != MAP_FAILED;
  };
  bool mapped = place(base_, 0, kControlBytes);
  for (const Direction direction : {Direction::kToServer, Direction::kToClient}) {
    const std::size_t offset = ring_offset(direction, ring_bytes_);
    mapped = mapped && place(data(direction), offset, ring_bytes_) &&
             place(data(direction) + ring_bytes_, offset, ring_bytes_);
  }
  if (!mapped) return refuse("map it");
  return {};
}

std::size_t Segment::mapped_bytes() const {
  return kControlBytes + 4 * ring_bytes_;
}

void Segment::unmap() {
  if (base_ != nullptr) munmap(std::exchange(base_, nullptr), mapped_bytes());
}

Segment::Segment(Segment&& other) noexcept
    : memory_(std::move(other.memory_)), ring_bytes_(other.ring_bytes_), base_(std::exchange(other.base_, nullptr)) {}

Segment& Segment::operator=(Segment&& other) noexcept {
  if (this != &other) {
    unmap();
    memory_ = std::move(other.memory_);
    ring_bytes_ = other.ring_bytes_;
    base_ = std::exchange(other.base_, nullptr);
  }
  return *this;
}

RingControl& Segment::control(Direction direction) const {
  return std::launder(reinterpret_cast<Controls*>(base_))->rings[static_cast<std::size_t>(direction)];
}

std::atomic<std::uint32_t>& Segment::accepted() const {
  return std::launder(reinterpret_cast<Controls*>(base_))->accepted;
}

std::byte* Segment::data(Direction direction) const {
  return base_ + kControlBytes + 2 * static_cast<std::size_t>(direction) * ring_bytes_;
}

bool Segment::take_pages(Direction direction, std::size_t begin, std::size_t end) const {
  return change_pages(descriptor(), 0, ring_offset(direction, ring_bytes_) + begin, end - begin) == 0;
}

void Segment::give_pages_back(Direction direction, std::size_t begin, std::size_t end) const {
  // Refused only by systems that know no holes; then the pages stay, and that is all.
  [[maybe_unused]] const int failed = change_pages(descriptor(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                                   ring_offset(direction, ring_bytes_) + begin, end - begin);
}

}  // namespace sida::transport::sharedmemory

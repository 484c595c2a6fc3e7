#include "expert-worker/residency/slot_memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "common/base/checked_math.h"

namespace sida::worker {

Result<SlotMemory> SlotMemory::reserve(const ExpertShape& shape, std::uint32_t slots) {
  const auto bytes = checked_mul(shape.slot_bytes(), slots);
  if (!bytes || *bytes == 0) return fail(ErrorCode::kInvalidArgument, "expert memory holds no expert");
  void* data = mmap(nullptr, *bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) {
    return fail(ErrorCode::kIo, "cannot reserve " + std::to_string(*bytes) +
                                    " bytes for experts: " + std::strerror(errno) + "; lower --expert-memory");
  }
  madvise(data, *bytes, MADV_HUGEPAGE);  // Advice: fewer TLB misses while streaming weights.
  return SlotMemory(shape, slots, static_cast<std::byte*>(data));
}

SlotMemory::SlotMemory(SlotMemory&& other) noexcept
    : shape_(other.shape_), slots_(other.slots_), data_(std::exchange(other.data_, nullptr)) {}

SlotMemory::~SlotMemory() {
  if (data_ != nullptr) munmap(data_, mapped_bytes());
}

PackedFfn SlotMemory::expert(SlotId slot) const {
  return {.wi = {wi(slot).data(), shape_.d_ff, shape_.d_model, shape_.dtype},
          .wo = {wo(slot).data(), shape_.d_model, shape_.d_ff, shape_.dtype}};
}

}  // namespace sida::worker

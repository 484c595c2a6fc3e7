#include "common/tensor/weight_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace sida {
namespace {

constexpr std::size_t kAlignment = 64;
// Address space only: pages that nothing is written to take no memory.
constexpr std::size_t kBlockBytes = std::size_t{256} << 20U;

std::size_t rounded_up(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

void WeightMemory::Unmap::operator()(std::byte* memory) const {
  munmap(memory, bytes);
}

std::span<std::byte> WeightMemory::take(std::size_t bytes) {
  const std::size_t wanted = rounded_up(bytes);
  if (wanted > free_.size()) {
    const std::size_t size = std::max(wanted, kBlockBytes);
    void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED) throw std::bad_alloc();
    madvise(data, size, MADV_HUGEPAGE);  // Advice.
    blocks_.push_back(Block(static_cast<std::byte*>(data), Unmap{size}));
    free_ = {static_cast<std::byte*>(data), size};
  }
  const auto taken = free_.first(bytes);
  free_ = free_.subspan(wanted);
  return taken;
}

}  // namespace sida

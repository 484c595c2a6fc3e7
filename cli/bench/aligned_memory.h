// Memory of a benchmark, in large pages where the system has them: as an expert-worker's slots.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

namespace sida::bench {

class AlignedMemory {
 public:
  // Contents undefined. Throws std::bad_alloc.
  explicit AlignedMemory(std::size_t bytes)
      : bytes_((bytes + kAlignment - 1) / kAlignment * kAlignment),
        memory_(static_cast<std::byte*>(std::aligned_alloc(kAlignment, bytes_))) {
    if (memory_ == nullptr) throw std::bad_alloc();
    madvise(memory_.get(), bytes_, MADV_HUGEPAGE);  // Advice.
  }
  [[nodiscard]] std::byte* data() { return memory_.get(); }
  [[nodiscard]] const std::byte* data() const { return memory_.get(); }
  [[nodiscard]] std::size_t size() const { return bytes_; }

 private:
  static constexpr std::size_t kAlignment = std::size_t{2} << 20U;
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  std::size_t bytes_;
  std::unique_ptr<std::byte, Free> memory_;
};

}  // namespace sida::bench

// Memory for weights that are read over and over: in large pages where the system has them, one matrix behind the other
// in the order in which they were taken. Both keep reads at the memory's full rate: fewer address translations (8 %
// more bandwidth, docs/benchmarks.md), and a kernel that prefetches beyond the end of one matrix fetches the next one.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace sida {

// Grows, never shrinks; gives everything back when it goes. One thread takes; readers may be anywhere. What was moved
// from may only be destroyed.
class WeightMemory {
 public:
  // 64-byte aligned, zero, valid as long as this object or what it was moved to. Throws std::bad_alloc.
  std::span<std::byte> take(std::size_t bytes);

 private:
  struct Unmap {
    std::size_t bytes = 0;
    void operator()(std::byte* memory) const;
  };
  using Block = std::unique_ptr<std::byte, Unmap>;

  std::vector<Block> blocks_;
  std::span<std::byte> free_;  // Of the last block.
};

}  // namespace sida

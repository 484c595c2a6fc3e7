// Memory of a kernel call that is kept for the next one: grows to the largest call, never shrinks.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

namespace sida::compute::cpu {

class Scratch {
 public:
  // At least `count` elements of T, 64-byte aligned, contents undefined; valid until the next call.
  template <typename T>
  T* reserve(std::size_t count) {
    const std::size_t bytes = (count * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
    if (bytes > bytes_) {
      memory_.reset();
      memory_.reset(std::aligned_alloc(kAlignment, bytes));
      if (memory_ == nullptr) throw std::bad_alloc();
      bytes_ = bytes;
    }
    return static_cast<T*>(memory_.get());
  }

 private:
  static constexpr std::size_t kAlignment = 64;
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::unique_ptr<void, Free> memory_;
  std::size_t bytes_ = 0;
};

}  // namespace sida::compute::cpu

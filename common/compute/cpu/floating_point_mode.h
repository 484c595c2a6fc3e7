// Sets the processor's floating-point mode for a scope, so that no caller's or library's setting changes a bit.
#pragma once

#include <xmmintrin.h>

namespace sida::compute::cpu {

// Round to nearest even, exceptions masked.
inline constexpr unsigned kIeee = 0x1f80;
// The same, denormal inputs read as zero and denormal results flushed to zero: what VDPBF16PS always does.
inline constexpr unsigned kFlushDenormals = 0x9fc0;

// Kernels must be called through a function pointer inside the scope: the compiler does not know that arithmetic
// depends on the mode, and could move it out.
class FloatingPointMode {
 public:
  explicit FloatingPointMode(unsigned mode) : before_(_mm_getcsr()) { _mm_setcsr(mode); }
  ~FloatingPointMode() { _mm_setcsr(before_); }
  FloatingPointMode(const FloatingPointMode&) = delete;
  FloatingPointMode& operator=(const FloatingPointMode&) = delete;

 private:
  unsigned before_;
};

}  // namespace sida::compute::cpu

// The limit of everything that computes: operations per second of one core whose operands are all in registers.
#pragma once

#include <string>

#include "common/tensor/dtype.h"

namespace sida::bench {

// Floating-point operations per second (a multiplication and an addition are two) of the multiply-add instruction that
// the CPU kernel of this name (compute::cpu_kernels()) uses for weights of this dtype; 0 where the kernel has no loop
// here ("scalar"). Takes a few milliseconds of the calling thread; by its CPU time.
double register_peak(const std::string& cpu_kernel, DType dtype);

}  // namespace sida::bench

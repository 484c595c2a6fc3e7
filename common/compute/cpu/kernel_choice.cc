#include "common/compute/cpu/kernel_choice.h"

#include "common/compute/backend.h"

namespace sida::compute {
namespace cpu {
namespace {

// The flags that each file is compiled with, in CMakeLists.txt. The builtin also asks whether the operating system
// keeps the registers.
bool has_avx2() {
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
}

bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
}

bool has_avx512bf16() {
  return has_avx512() && __builtin_cpu_supports("avx512bf16") != 0;
}

}  // namespace

std::vector<NamedKernels> usable_kernels() {
  std::vector<NamedKernels> usable;
  if (has_avx512bf16()) usable.push_back({"avx512bf16", &kAvx512Bf16Kernels});
  if (has_avx512()) usable.push_back({"avx512", &kAvx512Kernels});
  if (has_avx2()) usable.push_back({"avx2", &kAvx2Kernels});
  usable.push_back({"scalar", &kScalarKernels});
  return usable;
}

Result<NamedKernels> choose_kernels(const std::string& name) {
  std::string names;
  for (const NamedKernels& kernels : usable_kernels()) {
    if (name == "auto" || name == kernels.name) return kernels;
    names += (names.empty() ? "" : ", ") + kernels.name;
  }
  return fail(ErrorCode::kInvalidArgument,
              "CPU kernel '" + name + "' is unknown or not usable on this processor; usable: auto, " + names);
}

}  // namespace cpu

std::vector<std::string> cpu_kernels() {
  std::vector<std::string> names;
  for (const cpu::NamedKernels& kernels : cpu::usable_kernels()) names.push_back(kernels.name);
  return names;
}

}  // namespace sida::compute

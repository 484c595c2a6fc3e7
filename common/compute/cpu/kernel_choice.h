// Which kernels this processor can run.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/compute/cpu/kernel_table.h"

namespace sida::compute::cpu {

struct NamedKernels {
  std::string name;
  const KernelTable* table = nullptr;
};

// Usable here, best first; "scalar" is always last. Thread-safe.
std::vector<NamedKernels> usable_kernels();

// "auto" or a name; kInvalidArgument if unknown or not usable here.
Result<NamedKernels> choose_kernels(const std::string& name);

}  // namespace sida::compute::cpu

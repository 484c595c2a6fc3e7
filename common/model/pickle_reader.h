// The part of Python's pickle format that torch.save writes for a state dict. Nothing is executed or imported: five
// globals and the storage types are known by name, anything else is refused by name.
// Format: CPython's Lib/pickletools.py; which opcodes and globals: listed from files that PyTorch 2.11 wrote.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/tensor/dtype.h"

namespace sida::model {

inline constexpr std::uint64_t kPickleBytesMax = 64U << 20U;  // 250,000 tensors; all of switch-c-2048 needs 31 MB.

// A contiguous view of a storage. Several may share one storage (tied weights).
struct PickledTensor {
  std::string name;
  std::string storage_type;  // "FloatStorage", one of torch's.
  std::string storage_key;   // The record "<archive>/data/<key>".
  std::uint64_t storage_elements = 0;
  std::uint64_t storage_offset = 0;  // Elements; the view lies within the storage.
  std::vector<std::int64_t> shape;
};

// Memory is bounded by the pickle's length (about 100 bytes for each of its bytes at worst), time is linear in it.
// Errors: kInvalidModel: damaged, an unknown opcode or global, a value that is not a tensor, a tensor that is not
// contiguous (named), a name twice.
[[nodiscard]] Result<std::vector<PickledTensor>> read_pickle(std::string_view pickle);

}  // namespace sida::model

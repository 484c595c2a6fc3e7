// A tensor as a file's header describes it, before it is known whether anybody needs it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/tensor/dtype.h"

namespace sida::model {

struct StoredTensor {
  std::string name;
  std::string dtype_name;           // As written in the file: "F32", "torch.FloatStorage".
  std::optional<DType> dtype;       // Absent: a type that sida does not compute with. An error only if needed.
  std::vector<std::int64_t> shape;  // Row-major and contiguous.
  std::uint64_t offset = 0;         // Of the first byte, in the file.
  std::uint64_t bytes = 0;          // Within the file; equals elements x size wherever the dtype is known.
};

}  // namespace sida::model

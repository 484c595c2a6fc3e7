// A file of tensors that is written front to back in constant memory: names, dtypes and shapes first, then the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/tensor/dtype.h"

namespace sida::model {

struct TensorToWrite {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<std::int64_t> shape;   // Elements x size of dtype fit into 64 bits.
  std::vector<std::string> aliases;  // Further names for the same bytes; only a PyTorch checkpoint can hold them.

  [[nodiscard]] std::uint64_t bytes() const;
};

// Made by create_safetensors or create_torch_checkpoint. One thread. Errors: kIo.
class TensorFileWriter {
 public:
  virtual ~TensorFileWriter() = default;

  // The next bytes of the tensors, in the order given at creation; a call may end anywhere. SIDA_CHECKs that there are
  // not more than declared.
  [[nodiscard]] virtual Result<void> append(std::span<const std::byte> bytes) = 0;

  // After the last byte. SIDA_CHECKs that nothing is missing. The file is on disk afterwards.
  [[nodiscard]] virtual Result<void> finish() = 0;
};

}  // namespace sida::model

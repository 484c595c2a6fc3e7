// The tensors of a Hugging Face model directory: safetensors or pytorch_model*.bin, single or sharded.
// All of it is untrusted input: every size is checked before use, nothing is executed, errors name file and tensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/tensor/dtype.h"

namespace sida::model {

struct TensorInfo {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<std::int64_t> shape;  // Row-major and contiguous.
  std::size_t file = 0;             // Index into WeightFiles::files().
  std::uint64_t offset = 0;         // In the file, bytes.
  std::uint64_t bytes = 0;          // Equals elements x size of dtype.
};

// Opens headers only; data is read on demand. Immutable after open, so any thread may call any const method.
class WeightFiles {
 public:
  // Takes the first of model.safetensors, model.safetensors.index.json, pytorch_model.bin,
  // pytorch_model.bin.index.json. Errors: kInvalidModel on damage (file and tensor named), kNotFound when the directory
  // has no weights, kIo.
  static Result<WeightFiles> open(const std::filesystem::path& directory);

  [[nodiscard]] const std::map<std::string, TensorInfo, std::less<>>& tensors() const { return tensors_; }
  [[nodiscard]] const TensorInfo* find(std::string_view name) const;  // nullptr if absent.
  // As written in the file, for a tensor that exists but has a dtype that DType does not know; else empty.
  [[nodiscard]] std::string_view unreadable_dtype(std::string_view name) const;
  [[nodiscard]] const std::vector<std::filesystem::path>& files() const { return paths_; }

  // Reads the tensor's bytes, as stored, into `destination` (exactly info.bytes). Blocks on disk.
  // Errors: kInvalidModel when the file was cut short since open, kIo; file and tensor named.
  [[nodiscard]] Result<void> read(const TensorInfo& info, std::span<std::byte> destination) const;
  // The same into memory of its own.
  [[nodiscard]] Result<std::vector<std::byte>> read_bytes(const TensorInfo& info) const;
  // Tells the page cache that these bytes are not needed again soon: no second copy of them need take memory there.
  void forget(const TensorInfo& info) const;
  // Converted from fp32, bf16 or fp16, exactly; in the tensor's row-major order. Errors also: kInvalidModel for another
  // dtype.
  [[nodiscard]] Result<std::vector<float>> read_as_fp32(const TensorInfo& info) const;

 private:
  struct OpenFiles;
  struct Opener;
  std::map<std::string, TensorInfo, std::less<>> tensors_;
  std::map<std::string, std::string, std::less<>> unreadable_;
  std::vector<std::filesystem::path> paths_;
  std::shared_ptr<const OpenFiles> open_files_;
};

}  // namespace sida::model

// The weights that are learned, by the names of network_shape.h.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "common/base/result.h"
#include "common/model/model_directory.h"
#include "predictor/network/network_shape.h"

namespace sida::predictor {

struct Parameter {
  at::Tensor value;     // fp32, a leaf that requires its gradient.
  bool copied = false;  // It began as the model's own weight.
};

class Parameters {
 public:
  // Random, from the seed alone.
  static Parameters random(const NetworkShape& shape, const ModelShape& model, std::uint64_t seed);

  // Takes over whatever the miniature shares with the model that it mirrors: attention, norms, position biases, gates
  // and dense feed-forward networks. kInvalidModel, kIo. Blocks on disk.
  Result<void> copy_from(const model::ModelDirectory& model, const NetworkShape& shape);

  // Takes the parameters that are not copied from the file of a predictor of the same network. kNotFound,
  // kInvalidModel, kIo. Blocks on disk.
  Result<void> begin_with(const std::filesystem::path& weights);

  // SIDA_CHECKs that it exists.
  [[nodiscard]] const at::Tensor& at(const std::string& name) const;
  [[nodiscard]] std::map<std::string, Parameter>& all() { return all_; }
  [[nodiscard]] const std::map<std::string, Parameter>& all() const { return all_; }

  // Values only.
  [[nodiscard]] std::map<std::string, at::Tensor> snapshot() const;
  void restore(const std::map<std::string, at::Tensor>& values);

  // As the file of a predictor: safetensors in bf16, norms, biases and sharpness in fp32. Replaces the file at once.
  [[nodiscard]] Result<void> write(const std::filesystem::path& path, DType matrices) const;

 private:
  std::map<std::string, Parameter> all_;
  std::map<std::string, TensorRole> roles_;
};

}  // namespace sida::predictor

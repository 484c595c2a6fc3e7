#include "predictor/network/packed_weights.h"

#include <cstdlib>
#include <utility>

namespace sida::predictor {

void PackedWeights::add(const NetworkTensor& tensor, std::vector<float> values) {
  if (tensor.role != TensorRole::kMatrix) {
    vectors_.emplace(tensor.name, std::move(values));
    return;
  }
  const std::int64_t outputs = tensor.shape[0];
  const std::int64_t inputs = tensor.shape[1];
  const std::size_t bytes = packed_bytes(outputs, inputs, dtype_);
  Matrix matrix;
  matrix.memory.reset(static_cast<std::byte*>(std::aligned_alloc(64, bytes)));
  SIDA_CHECK(matrix.memory != nullptr);
  matrix.packed = pack(values.data(), DType::kFloat32, outputs, inputs, dtype_, std::span(matrix.memory.get(), bytes));
  matrices_.emplace(tensor.name, std::move(matrix));
}

Result<PackedWeights> PackedWeights::load(PredictorFile& file, const NetworkShape& shape, const ModelShape& model,
                                          DType dtype) {
  PackedWeights loaded;
  loaded.dtype_ = dtype;
  for (const NetworkTensor& tensor : tensors_of(shape, model)) {
    auto values = file.read_weights(tensor.name, tensor.shape);
    if (!values) return tl::unexpected(std::move(values).error());
    loaded.add(tensor, std::move(*values));
  }
  SIDA_TRY(file.check_all_read());
  return loaded;
}

PackedMatrix PackedWeights::matrix(const std::string& name) const {
  const auto found = matrices_.find(name);
  SIDA_CHECK(found != matrices_.end());
  return found->second.packed;
}

std::span<const float> PackedWeights::vector(const std::string& name) const {
  const auto found = vectors_.find(name);
  SIDA_CHECK(found != vectors_.end());
  return found->second;
}

}  // namespace sida::predictor

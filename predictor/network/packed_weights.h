// Packs the tensors of a predictor file for the kernels, one after another.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/tensor/packed_matrix.h"
#include "predictor/file/predictor_file.h"
#include "predictor/network/network_shape.h"

namespace sida::predictor {

// The packed matrices of one network. They point into memory that this object owns, also after a move.
class PackedWeights {
 public:
  // Reads exactly the tensors of the shape; others in the file are an error. Errors: those of PredictorFile.
  static Result<PackedWeights> load(PredictorFile& file, const NetworkShape& shape, const ModelShape& model,
                                    DType dtype);

  // SIDA_CHECKs that the shape has the tensor.
  [[nodiscard]] PackedMatrix matrix(const std::string& name) const;
  [[nodiscard]] std::span<const float> vector(const std::string& name) const;  // Any role but kMatrix, flattened.
  [[nodiscard]] DType dtype() const { return dtype_; }                         // Of the matrices.

 private:
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  struct Matrix {
    std::unique_ptr<std::byte, Free> memory;
    PackedMatrix packed;
  };
  void add(const NetworkTensor& tensor, std::vector<float> values);

  DType dtype_ = DType::kFloat32;
  std::map<std::string, Matrix> matrices_;
  std::map<std::string, std::vector<float>> vectors_;
};

}  // namespace sida::predictor

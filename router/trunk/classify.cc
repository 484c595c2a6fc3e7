#include "router/trunk/classify.h"

#include <cmath>
#include <span>

namespace sida::router {
namespace {

std::vector<float> mean_row(ConstRows rows) {
  std::vector<double> sums(static_cast<std::size_t>(rows.columns));
  for (std::int64_t row = 0; row < rows.count; ++row) {
    for (std::int64_t column = 0; column < rows.columns; ++column) {
      const std::int64_t index = row * rows.columns + column;
      const float value = rows.dtype == DType::kBFloat16 ? to_float(rows.bf16()[index]) : rows.f32()[index];
      sums[static_cast<std::size_t>(column)] += static_cast<double>(value);
    }
  }
  std::vector<float> mean(sums.size());
  for (std::size_t column = 0; column < mean.size(); ++column) {
    mean[column] = static_cast<float>(sums[column] / static_cast<double>(rows.count));
  }
  return mean;
}

std::vector<float> affine(compute::Backend& backend, const PackedMatrix& weight, std::span<const float> bias,
                          std::vector<float>& input) {
  std::vector<float> output(bias.size());
  backend.linear(Rows{input.data(), 1, weight.inputs, DType::kFloat32}, weight,
                 Rows{output.data(), 1, weight.outputs, DType::kFloat32});
  for (std::size_t index = 0; index < output.size(); ++index) output[index] += bias[index];
  return output;
}

}  // namespace

std::vector<float> classify(compute::Backend& backend, const HeadWeights& head, ConstRows encoded) {
  SIDA_CHECK(encoded.count > 0);
  std::vector<float> mean = mean_row(encoded);
  std::vector<float> hidden = affine(backend, head.dense, head.dense_bias, mean);
  for (float& value : hidden) value = std::tanh(value);
  return affine(backend, head.out, head.out_bias, hidden);
}

}  // namespace sida::router

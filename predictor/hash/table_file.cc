#include "predictor/hash/table_file.h"

#include <cstring>

namespace sida::predictor {
namespace {

template <typename T>
std::vector<T> values_of(const StoredValues& stored) {
  std::vector<T> values(stored.bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), stored.bytes.data(), values.size() * sizeof(T));
  return values;
}

}  // namespace

Result<std::vector<std::int16_t>> read_experts(PredictorFile& file, const std::string& name, const TableShape& shape) {
  auto stored = file.read(name, {shape.vocab_size, shape.k}, {DType::kInt16});
  if (!stored) return tl::unexpected(std::move(stored).error());
  std::vector<std::int16_t> experts = values_of<std::int16_t>(*stored);
  for (const std::int16_t expert : experts) {
    if (expert < -1 || expert >= shape.num_experts) {
      return file.invalid(name, "expert " + std::to_string(expert) + ", but the model has " +
                                    std::to_string(shape.num_experts) + " in a layer");
    }
  }
  return experts;
}

Result<std::vector<float>> read_confidences(PredictorFile& file, const std::string& name, const TableShape& shape) {
  auto stored = file.read(name, {shape.vocab_size, shape.k}, {DType::kFloat16, DType::kBFloat16});
  if (!stored) return tl::unexpected(std::move(stored).error());
  std::vector<float> confidences;
  for (const std::uint16_t word : values_of<std::uint16_t>(*stored)) {
    const float confidence = stored->dtype == DType::kFloat16 ? half_to_float(word) : to_float(BFloat16{word});
    if (!(confidence >= 0 && confidence <= 1)) return file.invalid(name, "a confidence outside [0, 1]");
    confidences.push_back(confidence);
  }
  return confidences;
}

}  // namespace sida::predictor

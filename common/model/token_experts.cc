#include "common/model/token_experts.h"

#include <cstring>
#include <string>

namespace sida::model {
namespace {

template <typename T>
std::vector<std::int64_t> widened(const std::vector<std::byte>& bytes) {
  std::vector<std::int64_t> values(bytes.size() / sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    values[i] = value;
  }
  return values;
}

std::vector<std::int64_t> widened(const std::vector<std::byte>& bytes, DType dtype) {
  if (dtype == DType::kInt16) return widened<std::int16_t>(bytes);
  if (dtype == DType::kInt32) return widened<std::int32_t>(bytes);
  return widened<std::int64_t>(bytes);
}

}  // namespace

Result<std::vector<std::int16_t>> read_token_experts(const ModelDirectory& model, LayerId layer) {
  SIDA_CHECK(model.config().hash_routing);
  const TensorInfo& info = model.tensor(model.mlp_prefix(layer) + std::string(kTokenExpertsName));
  auto bytes = model.weights().read_bytes(info);
  if (!bytes) return tl::unexpected(std::move(bytes).error());
  std::vector<std::int16_t> experts;
  for (const std::int64_t expert : widened(*bytes, info.dtype)) {
    if (expert < 0 || expert >= model.config().num_experts) {
      return fail(ErrorCode::kInvalidModel, model.weights().files()[info.file].string() + ": tensor '" + info.name +
                                                "': expert " + std::to_string(expert) + ", but the model has " +
                                                std::to_string(model.config().num_experts) + " in a layer");
    }
    experts.push_back(static_cast<std::int16_t>(expert));
  }
  return experts;
}

}  // namespace sida::model

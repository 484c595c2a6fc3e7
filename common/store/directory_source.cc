#include "common/store/directory_source.h"

#include <algorithm>
#include <string>

#include "common/model/geometry.h"
#include "common/store/description_files.h"
#include "common/store/source_identity.h"

namespace sida::store {
namespace {

Result<void> read_part(const model::WeightFiles& weights, const model::TensorInfo& tensor, std::uint64_t first_byte,
                       std::span<std::byte> destination) {
  SIDA_CHECK(first_byte + destination.size() <= tensor.bytes);
  model::TensorInfo part = tensor;
  part.offset += first_byte;
  part.bytes = destination.size();
  SIDA_TRY(weights.read(part, destination));
  weights.forget(part);
  return {};
}

}  // namespace

Result<DirectorySource> DirectorySource::make(model::ModelDirectory model, DType dtype,
                                              const model::Fingerprint& tokenizer) {
  if (model.store() != nullptr) {
    return fail(ErrorCode::kInvalidArgument,
                model.path().string() + ": is an expert store already; name the directory that it was made from");
  }
  if (model.geometry().moe_layers() == 0) {
    return fail(ErrorCode::kInvalidArgument, model.path().string() + ": has no experts to store; serve it as it is");
  }
  auto identity = source_identity(model);
  if (!identity) return tl::unexpected(std::move(identity).error());
  DirectorySource source(std::move(model));
  const model::ModelConfig& config = source.model_.config();
  const model::ModelGeometry& geometry = source.model_.geometry();
  StoreContents& contents = source.contents_;
  contents.identity = *std::move(identity);
  contents.geometry = {.dtype = dtype,
                       .d_model = config.d_model,
                       .d_ff = config.d_ff,
                       .moe_layers = geometry.moe_layers(),
                       .experts_per_layer = config.num_experts};
  contents.tokenizer = tokenizer;
  contents.model = source.model_.fingerprint();
  SIDA_TRY(visit_required_tensors(config, geometry, [&](model::RequiredTensor tensor) -> Result<void> {
    const DType stored = source.model_.tensor(tensor.name).dtype;
    if (tensor.expert) {
      contents.expert_dtypes.push_back(stored);
    } else {
      contents.trunk.push_back({std::move(tensor.name), stored, std::move(tensor.shape), {}});
    }
    return {};
  }));
  std::ranges::sort(contents.trunk, {}, &model::TensorToWrite::name);
  return source;
}

Result<void> DirectorySource::write_description(const std::filesystem::path& directory) {
  return copy_description(model_.path(), directory);
}

Result<void> DirectorySource::read_trunk(const model::TensorToWrite& tensor, std::uint64_t first_byte,
                                         std::span<std::byte> destination) {
  return read_part(model_.weights(), model_.tensor(tensor.name), first_byte, destination);
}

Result<void> DirectorySource::read_rows(ExpertKey key, const Band& band, std::span<std::byte> destination) const {
  const model::ExpertTensors tensors = model_.expert(key);
  const model::TensorInfo& tensor = band.matrix == Matrix::kWi ? *tensors.wi : *tensors.wo;
  const auto first = static_cast<std::uint64_t>(band.first_row * band.columns) * bytes_per_element(tensor.dtype);
  return read_part(model_.weights(), tensor, first, destination);
}

}  // namespace sida::store

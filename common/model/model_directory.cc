#include "common/model/model_directory.h"

#include <system_error>
#include <utility>

#include "common/model/checked_model.h"
#include "common/model/read_only_file.h"

namespace sida::model {
namespace {

Result<std::optional<StoreManifest>> read_manifest(const std::filesystem::path& directory) {
  const auto path = directory / kStoreManifestFile;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::nullopt;
  const auto json = read_text_file(path, kStoreManifestBytesMax);
  if (!json) return tl::unexpected(json.error());
  auto manifest = parse_store_manifest(*json);
  if (!manifest) return fail_at(path.string(), std::move(manifest).error());
  return *std::move(manifest);
}

}  // namespace

Result<ModelDirectory> ModelDirectory::open(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) {
    return fail(ErrorCode::kNotFound, path.string() + ": no such model directory");
  }
  const auto declared = read_model_config(path);
  if (!declared) return tl::unexpected(declared.error());
  auto store = read_manifest(path);
  if (!store) return tl::unexpected(std::move(store).error());
  auto weights = WeightFiles::open(path);
  if (!weights) return tl::unexpected(std::move(weights).error());
  auto checked = check_model(*declared, *weights, *store ? &**store : nullptr);
  if (!checked) return fail_at(path.string(), std::move(checked).error());
  const auto fingerprint = compute_fingerprint(*checked, *weights);
  if (!fingerprint) return tl::unexpected(fingerprint.error());
  if (*store && (*store)->model != *fingerprint) {
    return fail(ErrorCode::kInvalidModel,
                (path / kStoreManifestFile).string() +
                    ": is of another model than the configuration and weights beside it; make "
                    "the store again with 'sida convert'");
  }

  ModelDirectory model;
  model.path_ = path;
  model.config_ = std::move(checked->config);
  model.geometry_ = std::move(checked->geometry);
  model.fingerprint_ = *fingerprint;
  model.warnings_ = std::move(checked->warnings);
  model.weights_ = std::move(*weights);
  model.store_ = *std::move(store);
  return model;
}

const TensorInfo& ModelDirectory::tensor(std::string_view name) const {
  const TensorInfo* info = resolve(weights_, config_.tie_word_embeddings, name);
  SIDA_CHECK(info != nullptr);
  return *info;
}

const TensorInfo& ModelDirectory::embedding(Stack stack) const {
  return tensor(stack == Stack::kEncoder ? kEncoderEmbeddingName : kDecoderEmbeddingName);
}

const TensorInfo& ModelDirectory::lm_head() const {
  return tensor(kLmHeadName);
}

ExpertTensors ModelDirectory::expert(ExpertKey key) const {
  SIDA_CHECK(!store_);
  const std::string prefix = expert_prefix(position(geometry_, key.layer), key.expert);
  return {.wi = &tensor(prefix + "wi.weight"), .wo = &tensor(prefix + "wo.weight")};
}

std::string ModelDirectory::mlp_prefix(LayerId layer) const {
  return model::mlp_prefix(position(geometry_, layer));
}

}  // namespace sida::model

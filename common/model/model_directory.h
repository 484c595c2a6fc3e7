// A model directory, read and checked: configuration, geometry, weights by role. What router, predictor and worker
// share.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/model/fingerprint.h"
#include "common/model/geometry.h"
#include "common/model/model_config.h"
#include "common/model/store_manifest.h"
#include "common/model/weight_files.h"

namespace sida::model {

struct ExpertTensors {
  const TensorInfo* wi = nullptr;  // [d_ff, d_model]
  const TensorInfo* wo = nullptr;  // [d_model, d_ff]
};

// Immutable after open; any thread. Every tensor that the geometry needs exists with the right shape and dtype.
class ModelDirectory {
 public:
  // Reads headers, the embedding and the gates (for the fingerprint), and the manifest of an expert store, but not its
  // data file. Errors: kNotFound (no such directory, no config.json, no weights), kInvalidModel (file and tensor
  // named), kIo.
  static Result<ModelDirectory> open(const std::filesystem::path& path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const ModelConfig& config() const { return config_; }
  [[nodiscard]] const ModelGeometry& geometry() const { return geometry_; }
  [[nodiscard]] const Fingerprint& fingerprint() const { return fingerprint_; }
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }
  [[nodiscard]] const WeightFiles& weights() const { return weights_; }

  // By full name, aliases resolved (embed_tokens before shared when untied; lm_head to the shared table when tied).
  // SIDA_CHECKs that it exists. References stay valid as long as this object, also when it is moved.
  [[nodiscard]] const TensorInfo& tensor(std::string_view name) const;
  [[nodiscard]] const TensorInfo& embedding(Stack stack) const;
  [[nodiscard]] const TensorInfo& lm_head() const;
  // SIDA_CHECKs that the experts are not in a store.
  [[nodiscard]] ExpertTensors expert(ExpertKey key) const;
  // What `sida convert` wrote: the experts are in a data file of their own, and only the rest in weights(). nullptr for
  // a directory as Hugging Face writes it.
  [[nodiscard]] const StoreManifest* store() const { return store_ ? &*store_ : nullptr; }
  // "encoder.block.3.layer.1.mlp." of a MoE layer.
  [[nodiscard]] std::string mlp_prefix(LayerId layer) const;
  // Of all MoE layers together.
  [[nodiscard]] std::uint64_t experts_total() const {
    return static_cast<std::uint64_t>(geometry_.moe_layers()) * static_cast<std::uint64_t>(config_.num_experts);
  }

 private:
  std::filesystem::path path_;
  ModelConfig config_;
  ModelGeometry geometry_;
  Fingerprint fingerprint_{};
  std::vector<std::string> warnings_;
  WeightFiles weights_;
  std::optional<StoreManifest> store_;
};

}  // namespace sida::model

// Brings configuration and tensors together: what the model is, and that every tensor it needs is there.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/model/geometry.h"
#include "common/model/model_config.h"
#include "common/model/store_manifest.h"
#include "common/model/weight_files.h"

namespace sida::model {

// A tensor under its canonical name.
struct CanonicalTensor {
  std::string name;
  DType dtype = DType::kFloat32;  // As stored; of an expert in a store, as the model had it before.
  std::vector<std::int64_t> shape;
  const TensorInfo* info = nullptr;  // In the WeightFiles; nullptr for an expert in a store.
};

struct CheckedModel {
  ModelConfig config;
  ModelGeometry geometry;
  std::vector<CanonicalTensor> tensors;  // Every tensor the model uses, in order of use.
  std::vector<std::string> warnings;
};

// The tensor that plays the role of one of the four embedding names; any other name stands for itself. nullptr if
// absent.
//   Tied: any subset of the four names is accepted, `shared` preferred; all four answer with that one tensor.
//   Untied: the stack's own embed_tokens before `shared` before the other stack's; lm_head only as itself.
[[nodiscard]] const TensorInfo* resolve(const WeightFiles& weights, bool tied, std::string_view name);

// The tensors decide the number of blocks (at least as many as declared), which of them are sparse, and the vocabulary;
// a difference is a warning. Every other size must be as declared. With a `store`, the experts are there and not in
// `weights`; nullptr: in `weights`.
// Errors: kInvalidModel with the tensor named: missing, of another shape, of a dtype other than fp32, bf16, fp16; or
// with the number that the store has otherwise.
[[nodiscard]] Result<CheckedModel> check_model(const DeclaredModel& declared, const WeightFiles& weights,
                                               const StoreManifest* store = nullptr);

}  // namespace sida::model

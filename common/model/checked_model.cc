#include "common/model/checked_model.h"

#include <array>
#include <set>
#include <utility>

#include "common/model/quote_name.h"

namespace sida::model {

namespace {

constexpr std::size_t kBlocksMax = 1024;  // As the bound on num_layers in config.json.

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::int64_t size : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(size);
  }
  return text + "]";
}

const TensorInfo* first_of(const WeightFiles& weights, std::initializer_list<std::string_view> names) {
  for (std::string_view name : names) {
    if (const TensorInfo* info = weights.find(name)) return info;
  }
  return nullptr;
}

bool has_prefix(const WeightFiles& weights, const std::string& prefix) {
  const auto next = weights.tensors().lower_bound(prefix);
  return next != weights.tensors().end() && next->first.starts_with(prefix);
}

// One flag per block that has tensors, from block 0 up to the first gap.
std::vector<bool> sparse_by_names(const WeightFiles& weights, Stack stack) {
  std::vector<bool> sparse;
  for (BlockPosition at{stack, 0}; at.block < kBlocksMax && has_prefix(weights, block_prefix(at)); ++at.block) {
    sparse.push_back(weights.find(mlp_prefix(at) + "router.classifier.weight") != nullptr ||
                     weights.find(mlp_prefix(at) + std::string(kTokenExpertsName)) != nullptr);
  }
  return sparse;
}

// Missing blocks are declared ones that the check of required tensors then names.
std::vector<bool> stack_sparsity(const WeightFiles& weights, Stack stack, std::int64_t layers, std::int64_t step,
                                 std::vector<std::string>& warnings) {
  std::vector<bool> sparse = sparse_by_names(weights, stack);
  const std::string name = stack == Stack::kEncoder ? "encoder" : "decoder";
  const std::vector<bool> declared = sparse_blocks(layers, step);
  if (sparse.size() > declared.size()) {
    warnings.push_back("config.json declares " + std::to_string(declared.size()) + " " + name +
                       " blocks, the weights have " + std::to_string(sparse.size()) + "; the weights decide");
  }
  for (std::size_t i = 0; i < std::min(sparse.size(), declared.size()); ++i) {
    if (sparse[i] == declared[i]) continue;
    warnings.push_back("config.json declares " + name + " block " + std::to_string(i) +
                       (declared[i] ? " sparse, the weights make it dense" : " dense, the weights make it sparse") +
                       "; the weights decide");
    break;
  }
  for (std::size_t i = sparse.size(); i < declared.size(); ++i) sparse.push_back(declared[i]);
  return sparse;
}

bool fits(DType dtype, bool integers) {
  const bool integer = dtype == DType::kInt16 || dtype == DType::kInt32 || dtype == DType::kInt64;
  return integers ? integer : dtype == DType::kFloat32 || dtype == DType::kBFloat16 || dtype == DType::kFloat16;
}

Result<const TensorInfo*> required(const WeightFiles& weights, bool tied, const RequiredTensor& tensor) {
  const TensorInfo* info = resolve(weights, tied, tensor.name);
  if (info == nullptr) {
    const std::string_view unreadable = weights.unreadable_dtype(tensor.name);
    if (unreadable.empty()) return fail(ErrorCode::kInvalidModel, "tensor " + quote_name(tensor.name) + " is missing");
    return fail(ErrorCode::kInvalidModel, "tensor " + quote_name(tensor.name) + " has dtype " + quote_name(unreadable) +
                                              "; fp32, bf16 and fp16 are supported");
  }
  const std::string place = weights.files()[info->file].filename().string() + ": tensor " + quote_name(info->name);
  if (info->shape != tensor.shape) {
    return fail(ErrorCode::kInvalidModel, place + " has shape " + shape_text(info->shape) +
                                              ", the configuration asks for " + shape_text(tensor.shape));
  }
  if (!fits(info->dtype, tensor.integers)) {
    return fail(ErrorCode::kInvalidModel, place + " has dtype " + std::string(name(info->dtype)) + "; " +
                                              (tensor.integers ? "int16, int32 and int64" : "fp32, bf16 and fp16") +
                                              " are supported");
  }
  return info;
}

void take_embedding_facts(const DeclaredModel& declared, const WeightFiles& weights, CheckedModel& model) {
  const TensorInfo* table = resolve(weights, declared.config.tie_word_embeddings, kEncoderEmbeddingName);
  if (table == nullptr || table->shape.size() != 2) return;  // The check of required tensors says so.
  model.config.dtype = table->dtype;
  if (table->shape[0] != declared.config.vocab_size && table->shape[0] > 0) {
    model.warnings.push_back("config.json declares a vocabulary of " + std::to_string(declared.config.vocab_size) +
                             ", the embedding has " + std::to_string(table->shape[0]) + " rows; the embedding decides");
    model.config.vocab_size = table->shape[0];
  }
  if (declared.dtype && *declared.dtype != table->dtype) {
    model.warnings.push_back("config.json declares " + std::string(name(*declared.dtype)) +
                             ", the weights are stored as " + std::string(name(table->dtype)));
  }
}

bool is_embedding_name(std::string_view name) {
  return name == kSharedName || name == kEncoderEmbeddingName || name == kDecoderEmbeddingName || name == kLmHeadName;
}

void warn_of_unused(const WeightFiles& weights, CheckedModel& model) {
  std::set<std::string_view> used;
  for (const CanonicalTensor& tensor : model.tensors) {
    if (tensor.info != nullptr) used.insert(tensor.info->name);
  }
  std::size_t unused = 0;
  std::string_view first;
  for (const auto& [name, info] : weights.tensors()) {
    if (used.contains(name) || is_embedding_name(name)) continue;
    if (unused++ == 0) first = name;
  }
  if (unused > 0) {
    model.warnings.push_back(std::to_string(unused) + " tensors are not used, the first is " + quote_name(first));
  }
}

Result<void> check_store_fits(const StoreGeometry& store, const CheckedModel& model) {
  struct Size {
    const char* key;
    std::int64_t store;
    std::int64_t model;
  };
  for (const Size& size :
       {Size{"d_model", store.d_model, model.config.d_model}, Size{"d_ff", store.d_ff, model.config.d_ff},
        Size{"moe_layers", store.moe_layers, model.geometry.moe_layers()},
        Size{"experts_per_layer", store.experts_per_layer, model.config.num_experts}}) {
    if (size.store == size.model) continue;
    return fail(ErrorCode::kInvalidModel, std::string(kStoreManifestFile) + ": '" + size.key + "' is " +
                                              std::to_string(size.store) + ", the model beside it has " +
                                              std::to_string(size.model));
  }
  return {};
}

DType dtype_in(const StoreManifest& store, ExpertKey expert, bool wo) {
  return store.source_dtypes.at(2 * store.geometry.index(expert) + (wo ? 1 : 0));
}

}  // namespace

const TensorInfo* resolve(const WeightFiles& weights, bool tied, std::string_view name) {
  if (!is_embedding_name(name)) return weights.find(name);
  if (tied) return first_of(weights, {kSharedName, kEncoderEmbeddingName, kDecoderEmbeddingName, kLmHeadName});
  if (name == kLmHeadName) return weights.find(name);
  if (name == kDecoderEmbeddingName) {
    return first_of(weights, {kDecoderEmbeddingName, kSharedName, kEncoderEmbeddingName});
  }
  if (name == kEncoderEmbeddingName) {
    return first_of(weights, {kEncoderEmbeddingName, kSharedName, kDecoderEmbeddingName});
  }
  return first_of(weights, {kSharedName, kEncoderEmbeddingName, kDecoderEmbeddingName});
}

Result<CheckedModel> check_model(const DeclaredModel& declared, const WeightFiles& weights,
                                 const StoreManifest* store) {
  CheckedModel model;
  model.config = declared.config;
  take_embedding_facts(declared, weights, model);
  const auto encoder =
      stack_sparsity(weights, Stack::kEncoder, declared.num_layers, declared.encoder_sparse_step, model.warnings);
  const auto decoder = declared.encoder_only ? std::vector<bool>()
                                             : stack_sparsity(weights, Stack::kDecoder, declared.num_decoder_layers,
                                                              declared.decoder_sparse_step, model.warnings);
  model.geometry = make_geometry(encoder, decoder);
  if (store != nullptr) SIDA_TRY(check_store_fits(store->geometry, model));
  SIDA_TRY(visit_required_tensors(model.config, model.geometry, [&](RequiredTensor tensor) -> Result<void> {
    if (store != nullptr && tensor.expert) {
      const DType dtype = dtype_in(*store, *tensor.expert, tensor.name.ends_with(".wo.weight"));
      model.tensors.push_back({std::move(tensor.name), dtype, std::move(tensor.shape), nullptr});
      return {};
    }
    const auto info = required(weights, model.config.tie_word_embeddings, tensor);
    if (!info) return tl::unexpected(info.error());
    model.tensors.push_back({std::move(tensor.name), (*info)->dtype, std::move(tensor.shape), *info});
    return {};
  }));
  warn_of_unused(weights, model);
  return model;
}

}  // namespace sida::model

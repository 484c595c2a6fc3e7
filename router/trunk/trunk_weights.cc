#include "router/trunk/trunk_weights.h"

#include <ATen/ops/empty.h>

#include <span>
#include <string>
#include <utility>

#include "common/model/classification_head.h"
#include "common/model/token_experts.h"
#include "router/trunk/tensor_rows.h"

namespace sida::router {
namespace {

using model::ModelDirectory;
using model::Stack;
using model::TensorInfo;

std::string stack_name(Stack stack) {
  return stack == Stack::kEncoder ? "encoder" : "decoder";
}

}  // namespace

// Reads tensors one after another into a TrunkWeights; the first error ends it.
class TrunkLoader {
 public:
  TrunkLoader(const ModelDirectory& model, const TrunkOptions& options) : model_(model) {
    weights_.config_ = model.config();
    weights_.config_.expert_capacity = options.expert_capacity;
    weights_.dtype_ = options.dtype;
  }

  Result<TrunkWeights> load() {
    SIDA_TRY(load_stack(Stack::kEncoder, model_.geometry().encoder, weights_.encoder_));
    SIDA_TRY(load_stack(Stack::kDecoder, model_.geometry().decoder, weights_.decoder_));
    SIDA_TRY(matrix(model_.lm_head(), weights_.dtype_, weights_.lm_head_));
    SIDA_TRY(heads());
    return std::move(weights_);
  }

 private:
  Result<void> load_stack(Stack stack, const std::vector<model::Block>& blocks, StackWeights& out) {
    const std::string prefix = stack_name(stack) + ".";
    SIDA_TRY(embedding(stack, out.embedding));
    SIDA_TRY(vector(prefix + "final_layer_norm.weight", out.final_norm));
    SIDA_TRY(vector(prefix + "block.0.layer.0.SelfAttention.relative_attention_bias.weight", out.position_bias));
    out.blocks.resize(blocks.size());
    for (std::size_t index = 0; index < blocks.size(); ++index) {
      SIDA_TRY(
          load_block(stack, prefix + "block." + std::to_string(index) + ".layer.", blocks[index], out.blocks[index]));
    }
    return {};
  }

  Result<void> load_block(Stack stack, const std::string& prefix, const model::Block& block, BlockWeights& out) {
    SIDA_TRY(attention(prefix + "0.", "SelfAttention.", out.self_attention));
    if (stack == Stack::kEncoder) return feed_forward(prefix + "1.", block, out.feed_forward);
    SIDA_TRY(attention(prefix + "1.", "EncDecAttention.", out.cross_attention.emplace()));
    return feed_forward(prefix + "2.", block, out.feed_forward);
  }

  Result<void> attention(const std::string& layer, const std::string& kind, AttentionWeights& out) {
    SIDA_TRY(vector(layer + "layer_norm.weight", out.norm));
    SIDA_TRY(matrix(layer + kind + "q.weight", out.query));
    SIDA_TRY(matrix(layer + kind + "k.weight", out.key));
    SIDA_TRY(matrix(layer + kind + "v.weight", out.value));
    return matrix(layer + kind + "o.weight", out.output);
  }

  Result<void> feed_forward(const std::string& layer, const model::Block& block, FeedForwardWeights& out) {
    SIDA_TRY(vector(layer + "layer_norm.weight", out.norm));
    if (!block.sparse) {
      SIDA_TRY(matrix(layer + "mlp.wi.weight", out.dense.wi));
      return matrix(layer + "mlp.wo.weight", out.dense.wo);
    }
    out.layer = block.layer;
    if (model_.config().hash_routing) return token_experts(block.layer, out.token_experts);
    const std::string router = layer + "mlp.router.classifier.";
    if (model_.config().router_bias) SIDA_TRY(vector(router + "bias", out.router_bias));
    return matrix(model_.tensor(router + "weight"), DType::kFloat32, out.classifier);
  }

  Result<void> embedding(Stack stack, at::Tensor& out) {
    const TensorInfo& info = model_.embedding(stack);
    if (stack == Stack::kDecoder && &info == &model_.embedding(Stack::kEncoder)) {
      out = weights_.encoder_.embedding;
      return {};
    }
    out = at::empty({info.shape[0], info.shape[1]}, at::TensorOptions().dtype(scalar_type(info.dtype)));
    weights_.bytes_ += info.bytes;
    return model_.weights().read(info, {static_cast<std::byte*>(out.data_ptr()), info.bytes});
  }

  Result<void> vector(const std::string& name, std::vector<float>& out) {
    auto values = model_.weights().read_as_fp32(model_.tensor(name));
    if (!values) return tl::unexpected(std::move(values).error());
    out = std::move(*values);
    weights_.bytes_ += out.size() * sizeof(float);
    return {};
  }

  Result<void> token_experts(LayerId layer, std::vector<std::int16_t>& out) {
    auto experts = model::read_token_experts(model_, layer);
    if (!experts) return tl::unexpected(std::move(experts).error());
    out = std::move(*experts);
    weights_.bytes_ += out.size() * sizeof(std::int16_t);
    return {};
  }

  Result<void> heads() {
    auto read = model::read_classification_heads(model_);
    if (!read) return tl::unexpected(std::move(read).error());
    const std::int64_t width = weights_.config_.d_model;
    for (model::ClassificationHead& head : *read) {
      const auto labels = static_cast<std::int64_t>(head.labels.size());
      weights_.heads_.push_back(
          {.name = std::move(head.name),
           .labels = std::move(head.labels),
           .dense = packed(head.dense_weight.data(), DType::kFloat32, width, width, DType::kFloat32),
           .dense_bias = std::move(head.dense_bias),
           .out = packed(head.out_weight.data(), DType::kFloat32, labels, width, DType::kFloat32),
           .out_bias = std::move(head.out_bias)});
    }
    return {};
  }

  Result<void> matrix(const std::string& name, PackedMatrix& out) {
    return matrix(model_.tensor(name), weights_.dtype_, out);
  }

  Result<void> matrix(const TensorInfo& info, DType dtype, PackedMatrix& out) {
    std::vector<std::byte> stored(info.bytes);
    SIDA_TRY(model_.weights().read(info, stored));
    out = packed(stored.data(), info.dtype, info.shape[0], info.shape[1], dtype);
    return {};
  }

  PackedMatrix packed(const void* source, DType source_dtype, std::int64_t outputs, std::int64_t inputs, DType dtype) {
    const auto size = packed_bytes(outputs, inputs, dtype);
    weights_.bytes_ += size;
    return pack(source, source_dtype, outputs, inputs, dtype, weights_.memory_.take(size));
  }

  const ModelDirectory& model_;
  TrunkWeights weights_;
};

Result<TrunkWeights> TrunkWeights::load(const ModelDirectory& model, const TrunkOptions& options) {
  SIDA_CHECK(options.dtype == DType::kFloat32 || options.dtype == DType::kBFloat16);
  return TrunkLoader(model, options).load();
}

}  // namespace sida::router

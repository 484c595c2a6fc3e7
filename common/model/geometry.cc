#include "common/model/geometry.h"

#include <utility>

namespace sida::model {

namespace {

class TensorList {
 public:
  TensorList(const ModelConfig& config, const TensorVisitor& visit) : config_(config), visit_(visit) {}

  [[nodiscard]] const Result<void>& status() const { return status_; }

  void add(std::string name, std::vector<std::int64_t> shape) { add({std::move(name), std::move(shape)}); }

  void add(RequiredTensor tensor) {
    if (status_) status_ = visit_(std::move(tensor));
  }

  void add_norm(const std::string& name) { add(name + "layer_norm.weight", {config_.d_model}); }

  void add_attention(const std::string& prefix) {
    const std::int64_t inner = config_.num_heads * config_.d_kv;
    for (const char* projection : {"q", "k", "v"}) add(prefix + projection + ".weight", {inner, config_.d_model});
    add(prefix + "o.weight", {config_.d_model, inner});
  }

  void add_ffn(const std::string& prefix, std::optional<ExpertKey> expert) {
    add({.name = prefix + "wi.weight", .shape = {config_.d_ff, config_.d_model}, .expert = expert});
    add({.name = prefix + "wo.weight", .shape = {config_.d_model, config_.d_ff}, .expert = expert});
  }

  void add_mlp(BlockPosition at, Block block) {
    const std::string prefix = mlp_prefix(at);
    if (!block.sparse) return add_ffn(prefix, std::nullopt);
    if (config_.hash_routing) {
      add({.name = prefix + std::string(kTokenExpertsName), .shape = {config_.vocab_size}, .integers = true});
    } else {
      add(prefix + "router.classifier.weight", {config_.num_experts, config_.d_model});
    }
    if (config_.router_bias && !config_.hash_routing) add(prefix + "router.classifier.bias", {config_.num_experts});
    for (ExpertId expert{0}; expert.value < config_.num_experts && status_; ++expert.value) {
      add_ffn(expert_prefix(at, expert), ExpertKey{block.layer, expert});
    }
  }

  void add_block(BlockPosition at, Block block) {
    const std::string prefix = block_prefix(at);
    add_norm(prefix + "layer.0.");
    add_attention(prefix + "layer.0.SelfAttention.");
    if (at.block == 0) {
      add(prefix + "layer.0.SelfAttention.relative_attention_bias.weight", {config_.num_buckets, config_.num_heads});
    }
    add_norm(prefix + "layer.1.");
    if (at.stack == Stack::kDecoder) {
      add_attention(prefix + "layer.1.EncDecAttention.");
      add_norm(prefix + "layer.2.");
    }
    add_mlp(at, block);
  }

 private:
  const ModelConfig& config_;
  const TensorVisitor& visit_;
  Result<void> status_;
};

}  // namespace

BlockPosition position(const ModelGeometry& geometry, LayerId layer) {
  for (Stack which : {Stack::kEncoder, Stack::kDecoder}) {
    const auto& blocks = geometry.stack(which);
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      if (blocks[i].sparse && blocks[i].layer == layer) return {which, i};
    }
  }
  check_failed("the layer exists", __FILE__, __LINE__);
}

ModelGeometry make_geometry(const std::vector<bool>& encoder_sparse, const std::vector<bool>& decoder_sparse) {
  ModelGeometry geometry;
  const auto number = [&](bool sparse, std::int32_t& count) {
    const std::int32_t next = geometry.moe_layers();
    count += sparse ? 1 : 0;
    return Block{.sparse = sparse, .layer = LayerId(sparse ? next : -1)};
  };
  for (bool sparse : encoder_sparse) geometry.encoder.push_back(number(sparse, geometry.encoder_moe_layers));
  for (bool sparse : decoder_sparse) geometry.decoder.push_back(number(sparse, geometry.decoder_moe_layers));
  return geometry;
}

std::vector<bool> sparse_blocks(std::int64_t layers, std::int64_t step) {
  std::vector<bool> sparse;
  for (std::int64_t i = 0; i < layers; ++i) sparse.push_back(step == 1 || (step > 0 && i % step == 1));
  return sparse;
}

std::string block_prefix(BlockPosition at) {
  return (at.stack == Stack::kEncoder ? "encoder.block." : "decoder.block.") + std::to_string(at.block) + ".";
}

std::string mlp_prefix(BlockPosition at) {
  return block_prefix(at) + (at.stack == Stack::kEncoder ? "layer.1.mlp." : "layer.2.mlp.");
}

std::string expert_prefix(BlockPosition at, ExpertId expert) {
  return mlp_prefix(at) + "experts.expert_" + std::to_string(expert.value) + ".";
}

Result<void> visit_required_tensors(const ModelConfig& config, const ModelGeometry& geometry,
                                    const TensorVisitor& visit) {
  TensorList list(config, visit);
  const std::vector<std::int64_t> table{config.vocab_size, config.d_model};
  const bool has_decoder = !geometry.decoder.empty();
  list.add(std::string(config.tie_word_embeddings ? kSharedName : kEncoderEmbeddingName), table);
  if (!config.tie_word_embeddings && has_decoder) {
    list.add(std::string(kDecoderEmbeddingName), table);
    list.add(std::string(kLmHeadName), table);
  }
  for (Stack which : {Stack::kEncoder, Stack::kDecoder}) {
    const auto& blocks = geometry.stack(which);
    for (std::size_t i = 0; i < blocks.size(); ++i) list.add_block({which, i}, blocks[i]);
    const std::string name = which == Stack::kEncoder ? "encoder." : "decoder.";
    if (!blocks.empty()) list.add(name + "final_layer_norm.weight", {config.d_model});
  }
  return list.status();
}

}  // namespace sida::model

// The shape of a model: blocks of two stacks, which of them hold experts, and every tensor that follows from it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/model/model_config.h"

namespace sida::model {

enum class Stack { kEncoder, kDecoder };

// One block of a stack. Sparsity is decided by tensor names, not by the config.
struct Block {
  bool sparse = false;
  LayerId layer{-1};  // MoE layer in order of use (encoder's first); -1 when dense.
};

struct ModelGeometry {
  std::vector<Block> encoder;
  std::vector<Block> decoder;  // Empty in an encoder-only model.
  std::int32_t encoder_moe_layers = 0;
  std::int32_t decoder_moe_layers = 0;

  [[nodiscard]] std::int32_t moe_layers() const { return encoder_moe_layers + decoder_moe_layers; }
  [[nodiscard]] const std::vector<Block>& stack(Stack which) const {
    return which == Stack::kEncoder ? encoder : decoder;
  }
};

struct BlockPosition {
  Stack stack = Stack::kEncoder;
  std::size_t block = 0;  // Within its stack, from 0.
};

// Where a MoE layer sits. SIDA_CHECKs that the layer exists.
[[nodiscard]] BlockPosition position(const ModelGeometry& geometry, LayerId layer);

// From one flag per block; numbers the MoE layers.
[[nodiscard]] ModelGeometry make_geometry(const std::vector<bool>& encoder_sparse,
                                          const std::vector<bool>& decoder_sparse);

// Hugging Face's rule: block i is sparse iff step == 1, or step > 0 and i % step == 1.
[[nodiscard]] std::vector<bool> sparse_blocks(std::int64_t layers, std::int64_t step);

// "encoder.block.3."
[[nodiscard]] std::string block_prefix(BlockPosition at);
// "encoder.block.3.layer.1.mlp." (layer.2 in the decoder)
[[nodiscard]] std::string mlp_prefix(BlockPosition at);
// "…mlp.experts.expert_7."
[[nodiscard]] std::string expert_prefix(BlockPosition at, ExpertId expert);

inline constexpr std::string_view kSharedName = "shared.weight";
inline constexpr std::string_view kEncoderEmbeddingName = "encoder.embed_tokens.weight";
inline constexpr std::string_view kDecoderEmbeddingName = "decoder.embed_tokens.weight";
inline constexpr std::string_view kLmHeadName = "lm_head.weight";

// The experts of a layer that hash routing decides: an expert for every token id (Hash Layers, Roller et al. 2021,
// arXiv 2106.04426). [vocab_size] int16, int32 or int64.
inline constexpr std::string_view kTokenExpertsName = "router.token_experts";  // Behind mlp_prefix().

struct RequiredTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  bool integers = false;            // Else fp32, bf16 or fp16.
  std::optional<ExpertKey> expert;  // Whose wi or wo it is; nothing for the trunk.
};

using TensorVisitor = std::function<Result<void>(RequiredTensor)>;

// Every tensor of the model once, under its canonical name, in order of use; stops at the visitor's first error and
// answers it. A visitor rather than a list, because a hostile configuration may ask for more tensors than fit in
// memory. A tied embedding is `shared.weight`; an untied one is `encoder.embed_tokens.weight`,
// `decoder.embed_tokens.weight` and `lm_head.weight`. Names and shapes: Hugging Face's state dict of
// SwitchTransformersForConditionalGeneration, 4.57.1.
[[nodiscard]] Result<void> visit_required_tensors(const ModelConfig& config, const ModelGeometry& geometry,
                                                  const TensorVisitor& visit);

}  // namespace sida::model

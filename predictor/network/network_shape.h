// What a learned hash function is made of: the variant, its sizes, and every tensor that follows from them.
//
// `published`: SiDA-MoE's network (Du et al., MLSys 2024, arXiv 2310.18859): linear to 256, ReLU, two LSTM layers of
// 256, self-attention over their outputs with sparsemax weights, a residual linear, one head per encoder MoE layer.
// `miniature`: the model's own stacks in small. Blocks of attention and a feed-forward network like the model's, but
// every expert layer is one small dense feed-forward network; the experts of a layer are named by a head at the place
// where the model has its gate. Its weights may begin as the model's own, which is why it learns quickly.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace sida::predictor {

enum class Variant : std::uint8_t { kPublished, kMiniature };

// Of the model that a network predicts.
struct ModelShape {
  std::int64_t vocab_size = 0;
  std::int64_t d_model = 0;
  std::int64_t num_experts = 0;     // Of every MoE layer.
  std::int64_t encoder_layers = 0;  // MoE layers.
  std::int64_t decoder_layers = 0;
};

struct StackShape {
  std::vector<std::int64_t> inner;  // Per block, the width inside its feed-forward network; 0: it has none.
  std::vector<std::int64_t> gates;  // Per MoE layer, the block whose feed-forward input its head reads; not falling.
  bool operator==(const StackShape&) const = default;
};

struct NetworkShape {
  Variant variant = Variant::kMiniature;
  std::int64_t width = 0;       // Of the residual stream, or of the LSTM.
  std::int64_t heads = 0;       // Of attention; miniature only, as all below.
  std::int64_t head_width = 0;  // heads x head_width inside attention.
  StackShape encoder;
  StackShape decoder;
  bool operator==(const NetworkShape&) const = default;

  [[nodiscard]] std::int64_t inside_attention() const { return heads * head_width; }
  // Whether the encoder runs to its end, for a decoder to look at.
  [[nodiscard]] bool has_decoder() const { return !decoder.inner.empty(); }
};

inline constexpr std::int64_t kPublishedWidth = 256;
inline constexpr std::int64_t kPublishedLstmLayers = 2;
inline constexpr std::int64_t kPositionBuckets = 32;  // Of T5's relative positions, as common/compute has them.
inline constexpr float kNormEpsilon = 1e-6F;

nlohmann::json to_json(const NetworkShape& shape);

// The value of predictor.json's "network". Errors: kInvalidModel, the key named, also where it does not fit the model.
Result<NetworkShape> parse_network_shape(const nlohmann::json& json, const ModelShape& model);

enum class TensorRole : std::uint8_t {
  kMatrix,     // [outputs, inputs]
  kNorm,       // [width], around 1
  kBias,       // [outputs]
  kPositions,  // [kPositionBuckets, heads]
  kSharpness,  // [MoE layers of a stack]: what logits are multiplied by to become confidences
};

struct NetworkTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  TensorRole role = TensorRole::kMatrix;
};

// In the order of use. The names are those of the file.
std::vector<NetworkTensor> tensors_of(const NetworkShape& shape, const ModelShape& model);

// Multiplications per token of a source: what the linear layers cost; attention over positions comes on top.
std::int64_t encoder_multiplications(const NetworkShape& shape, const ModelShape& model);

}  // namespace sida::predictor

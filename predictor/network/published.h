// The `published` network (network_shape.h), without gradients. Of the encoder only: SiDA-MoE leaves the decoder alone.
#pragma once

#include <array>
#include <vector>

#include "common/compute/backend.h"
#include "predictor/network/network.h"
#include "predictor/network/packed_weights.h"
#include "predictor/network/token_embedding.h"

namespace sida::predictor {

class Published final : public Network {
 public:
  // The backend computes; the embedding outlives the network. fp32 throughout, as published.
  Published(const NetworkShape& shape, const ModelShape& model, PackedWeights weights, const TokenEmbedding& embedding,
            compute::Backend& backend);

  std::vector<EncodedSource> encode(std::span<const std::span<const std::int32_t>> sources) override;
  std::vector<OwnedRows> decode(std::span<const DecoderToken> inputs) override;

 private:
  struct LstmLayer {
    PackedMatrix input;           // [4 width, width], gates in the order input, forget, cell, output.
    PackedMatrix recurrent;       // The same.
    std::span<const float> bias;  // [4 width]
  };
  using Sources = std::span<const std::span<const std::int32_t>>;

  OwnedRows linear(const OwnedRows& x, const PackedMatrix& weight, std::span<const float> bias);
  // Over all sources side by side: rows of the result stand as those of x.
  OwnedRows lstm(const LstmLayer& layer, const OwnedRows& x, Sources sources);
  // Of one source's rows [tokens, width].
  OwnedRows attend(const OwnedRows& hidden);

  std::int64_t width_;
  std::int64_t encoder_layers_;
  std::int64_t num_experts_;
  PackedWeights weights_;
  const TokenEmbedding& embedding_;
  compute::Backend& backend_;
  std::array<LstmLayer, kPublishedLstmLayers> lstm_;
};

}  // namespace sida::predictor

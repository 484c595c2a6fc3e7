// The `miniature` network (network_shape.h), without gradients.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "common/compute/backend.h"
#include "predictor/network/network.h"
#include "predictor/network/packed_weights.h"
#include "predictor/network/token_embedding.h"

namespace sida::predictor {

// A longer source is read in parts of so many tokens that do not see each other, so that cost grows with length alone.
inline constexpr std::int64_t kPartTokensMax = 1024;
// A decoder looks back on so many of its own tokens, and on up to twice as many where it is cheaper.
inline constexpr std::int64_t kDecoderWindow = 128;

class Miniature final : public Network {
 public:
  // The backend computes; the embedding outlives the network.
  Miniature(const NetworkShape& shape, PackedWeights weights, const TokenEmbedding& embedding,
            compute::Backend& backend);

  std::vector<EncodedSource> encode(std::span<const std::span<const std::int32_t>> sources) override;
  std::vector<OwnedRows> decode(std::span<const DecoderToken> inputs) override;

 private:
  struct AttentionWeights {
    std::span<const float> norm;
    PackedMatrix query, key, value, output;
  };
  struct Block {
    AttentionWeights self;
    std::optional<AttentionWeights> cross;
    std::span<const float> norm;
    std::optional<PackedFfn> feed_forward;
  };
  struct Head {
    std::size_t block;
    PackedMatrix gate;
    float sharpness;
  };
  struct Stack {
    std::vector<Block> blocks;
    std::vector<Head> heads;
    const float* position_bias = nullptr;
  };
  // Rows [first, first + count) that see each other.
  struct Part {
    std::int64_t first = 0;
    std::int64_t count = 0;
  };
  struct Memory;

  Stack stack(const std::string& prefix, const StackShape& shape) const;
  AttentionWeights attention_weights(const std::string& prefix) const;
  OwnedRows embed(std::span<const std::int32_t> tokens);
  OwnedRows normed(const OwnedRows& x, std::span<const float> weight);
  OwnedRows product(const OwnedRows& x, const PackedMatrix& weight, DType dtype);
  void add_product(const OwnedRows& x, const PackedMatrix& weight, OwnedRows& to);
  void attend(const Block& block, std::span<const Part> parts, OwnedRows& x);
  void attend_own(std::size_t block, std::span<const DecoderToken> inputs, OwnedRows& x);
  void attend_source(std::size_t block, std::span<const DecoderToken> inputs, OwnedRows& x);
  // Logits of the heads that read this block's feed-forward input, and the feed-forward network itself.
  void feed_forward(const Stack& stack, std::size_t block, OwnedRows& x, std::vector<OwnedRows>& logits);
  std::unique_ptr<Memory> remember(const OwnedRows& encoded, const Part& source);

  NetworkShape shape_;
  PackedWeights weights_;
  const TokenEmbedding& embedding_;
  compute::Backend& backend_;
  std::optional<PackedMatrix> input_;
  Stack encoder_;
  Stack decoder_;
};

}  // namespace sida::predictor

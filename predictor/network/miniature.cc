#include "predictor/network/miniature.h"

#include <algorithm>
#include <utility>

namespace sida::predictor {

// Of one decoder, per block.
struct Miniature::Memory final : DecoderMemory {
  struct KeysAndValues {
    OwnedRows keys;
    OwnedRows values;
  };
  std::vector<KeysAndValues> own;     // Of the tokens read so far, the last kDecoderWindow at least.
  std::vector<KeysAndValues> source;  // Of the source.
};

Miniature::Miniature(const NetworkShape& shape, PackedWeights weights, const TokenEmbedding& embedding,
                     compute::Backend& backend)
    : shape_(shape), weights_(std::move(weights)), embedding_(embedding), backend_(backend) {
  if (shape.width != embedding.d_model()) input_ = weights_.matrix("input");
  encoder_ = stack("encoder.", shape.encoder);
  if (shape.has_decoder()) decoder_ = stack("decoder.", shape.decoder);
}

Miniature::AttentionWeights Miniature::attention_weights(const std::string& prefix) const {
  return {weights_.vector(prefix + "norm"), weights_.matrix(prefix + "query"), weights_.matrix(prefix + "key"),
          weights_.matrix(prefix + "value"), weights_.matrix(prefix + "output")};
}

Miniature::Stack Miniature::stack(const std::string& prefix, const StackShape& shape) const {
  Stack made;
  for (std::size_t index = 0; index < shape.inner.size(); ++index) {
    const std::string at = prefix + "block." + std::to_string(index) + ".";
    Block& block = made.blocks.emplace_back();
    block.self = attention_weights(at + "attention.");
    if (prefix == "decoder.") block.cross = attention_weights(at + "cross_attention.");
    block.norm = weights_.vector(at + "feed_forward.norm");
    if (shape.inner[index] > 0) {
      block.feed_forward = {weights_.matrix(at + "feed_forward.wi"), weights_.matrix(at + "feed_forward.wo")};
    }
  }
  const std::span<const float> sharpness = weights_.vector(prefix + "sharpness");
  for (std::size_t layer = 0; layer < shape.gates.size(); ++layer) {
    made.heads.push_back({static_cast<std::size_t>(shape.gates[layer]),
                          weights_.matrix(prefix + "gate." + std::to_string(layer)), sharpness[layer]});
  }
  made.position_bias = weights_.vector(prefix + "position_bias").data();
  return made;
}

OwnedRows Miniature::embed(std::span<const std::int32_t> tokens) {
  OwnedRows embedded = embedding_.look_up(tokens);
  if (!input_) return embedded;
  if (weights_.dtype() == DType::kFloat32) return product(embedded, *input_, DType::kFloat32);
  OwnedRows narrow(embedded.count(), embedded.columns(), DType::kBFloat16);
  auto* to = static_cast<BFloat16*>(narrow.rows().data);
  for (const float value : embedded.values()) *to++ = to_bfloat16(value);
  return product(narrow, *input_, DType::kFloat32);
}

OwnedRows Miniature::normed(const OwnedRows& x, std::span<const float> weight) {
  OwnedRows y(x.count(), x.columns(), weights_.dtype());
  backend_.rms_norm(x.rows(), weight.data(), kNormEpsilon, y.rows());
  return y;
}

OwnedRows Miniature::product(const OwnedRows& x, const PackedMatrix& weight, DType dtype) {
  OwnedRows y(x.count(), weight.outputs, dtype);
  backend_.linear(x.rows(), weight, y.rows());
  return y;
}

void Miniature::add_product(const OwnedRows& x, const PackedMatrix& weight, OwnedRows& to) {
  const OwnedRows y = product(x, weight, DType::kFloat32);
  std::transform(y.values().begin(), y.values().end(), to.values().begin(), to.values().begin(), std::plus<>());
}

void Miniature::attend(const Block& block, std::span<const Part> parts, OwnedRows& x) {
  const OwnedRows read = normed(x, block.self.norm);
  const DType dtype = weights_.dtype();
  const OwnedRows query = product(read, block.self.query, dtype);
  const OwnedRows key = product(read, block.self.key, dtype);
  const OwnedRows value = product(read, block.self.value, dtype);
  OwnedRows mixed(x.count(), shape_.inside_attention(), dtype);
  std::vector<compute::Attention> sequences;
  for (const Part& part : parts) {
    sequences.push_back({.query = query.part(part.first, part.count),
                         .key = key.part(part.first, part.count),
                         .value = value.part(part.first, part.count),
                         .position_bias = encoder_.position_bias,
                         .direction = compute::Direction::kBidirectional,
                         .heads = shape_.heads,
                         .out = mixed.part(part.first, part.count)});
  }
  backend_.attention(sequences);
  add_product(mixed, block.self.output, x);
}

void Miniature::feed_forward(const Stack& stack, std::size_t block, OwnedRows& x, std::vector<OwnedRows>& logits) {
  const Block& weights = stack.blocks[block];
  const OwnedRows read = normed(x, weights.norm);
  for (const Head& head : stack.heads) {
    if (head.block != block) continue;
    OwnedRows named = product(read, head.gate, DType::kFloat32);
    for (float& value : named.values()) value *= head.sharpness;
    logits.push_back(std::move(named));
  }
  if (!weights.feed_forward) return;
  OwnedRows y(x.count(), x.columns(), DType::kFloat32);
  backend_.ffn(read.rows(), *weights.feed_forward, y.rows());
  std::transform(y.values().begin(), y.values().end(), x.values().begin(), x.values().begin(), std::plus<>());
}

std::unique_ptr<Miniature::Memory> Miniature::remember(const OwnedRows& encoded, const Part& source) {
  auto memory = std::make_unique<Memory>();
  OwnedRows rows(0, encoded.columns(), weights_.dtype());
  rows.append(encoded.part(source.first, source.count));
  for (const Block& block : decoder_.blocks) {
    const DType dtype = weights_.dtype();
    memory->source.push_back({product(rows, block.cross->key, dtype), product(rows, block.cross->value, dtype)});
    memory->own.push_back(
        {OwnedRows(0, shape_.inside_attention(), dtype), OwnedRows(0, shape_.inside_attention(), dtype)});
  }
  return memory;
}

std::vector<EncodedSource> Miniature::encode(std::span<const std::span<const std::int32_t>> sources) {
  std::vector<std::int32_t> tokens;
  std::vector<Part> parts;
  std::vector<Part> whole;
  for (const auto& source : sources) {
    const auto first = static_cast<std::int64_t>(tokens.size());
    const auto count = static_cast<std::int64_t>(source.size());
    whole.push_back({first, count});
    for (std::int64_t at = 0; at < count; at += kPartTokensMax) {
      parts.push_back({first + at, std::min(kPartTokensMax, count - at)});
    }
    tokens.insert(tokens.end(), source.begin(), source.end());
  }
  OwnedRows x = embed(tokens);
  std::vector<OwnedRows> logits;
  for (std::size_t block = 0; block < encoder_.blocks.size(); ++block) {
    attend(encoder_.blocks[block], parts, x);
    feed_forward(encoder_, block, x, logits);
  }
  OwnedRows encoded;
  if (shape_.has_decoder()) encoded = normed(x, weights_.vector("encoder.final_norm"));

  std::vector<EncodedSource> results(sources.size());
  for (std::size_t i = 0; i < sources.size(); ++i) {
    for (const OwnedRows& layer : logits) {
      results[i].logits.emplace_back(0, layer.columns(), DType::kFloat32);
      results[i].logits.back().append(layer.part(whole[i].first, whole[i].count));
    }
    if (shape_.has_decoder()) results[i].memory = remember(encoded, whole[i]);
  }
  return results;
}

void Miniature::attend_own(std::size_t block, std::span<const DecoderToken> inputs, OwnedRows& x) {
  const AttentionWeights& weights = decoder_.blocks[block].self;
  const OwnedRows read = normed(x, weights.norm);
  const DType dtype = weights_.dtype();
  const OwnedRows query = product(read, weights.query, dtype);
  const OwnedRows key = product(read, weights.key, dtype);
  const OwnedRows value = product(read, weights.value, dtype);
  OwnedRows mixed(x.count(), shape_.inside_attention(), dtype);
  std::vector<compute::Attention> sequences;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    auto& own = static_cast<Memory*>(inputs[i].memory)->own[block];
    const auto row = static_cast<std::int64_t>(i);
    own.keys.append(key.part(row, 1));
    own.values.append(value.part(row, 1));
    if (own.keys.count() > 2 * kDecoderWindow) {
      own.keys.drop_first(own.keys.count() - kDecoderWindow);
      own.values.drop_first(own.values.count() - kDecoderWindow);
    }
    sequences.push_back({.query = query.part(row, 1),
                         .key = std::as_const(own.keys).rows(),
                         .value = std::as_const(own.values).rows(),
                         .position_bias = decoder_.position_bias,
                         .direction = compute::Direction::kCausal,
                         .first_position = own.keys.count() - 1,
                         .heads = shape_.heads,
                         .out = mixed.part(row, 1)});
  }
  backend_.attention(sequences);
  add_product(mixed, weights.output, x);
}

void Miniature::attend_source(std::size_t block, std::span<const DecoderToken> inputs, OwnedRows& x) {
  const AttentionWeights& weights = *decoder_.blocks[block].cross;
  const OwnedRows query = product(normed(x, weights.norm), weights.query, weights_.dtype());
  OwnedRows mixed(x.count(), shape_.inside_attention(), weights_.dtype());
  std::vector<compute::Attention> sequences;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto& source = static_cast<Memory*>(inputs[i].memory)->source[block];
    if (source.keys.count() == 0) continue;  // An empty source adds nothing.
    const auto row = static_cast<std::int64_t>(i);
    sequences.push_back({.query = query.part(row, 1),
                         .key = source.keys.rows(),
                         .value = source.values.rows(),
                         .heads = shape_.heads,
                         .out = mixed.part(row, 1)});
  }
  backend_.attention(sequences);
  add_product(mixed, weights.output, x);
}

std::vector<OwnedRows> Miniature::decode(std::span<const DecoderToken> inputs) {
  std::vector<std::int32_t> tokens;
  for (const DecoderToken& input : inputs) tokens.push_back(input.token);
  OwnedRows x = embed(tokens);
  std::vector<OwnedRows> logits;
  for (std::size_t block = 0; block < decoder_.blocks.size(); ++block) {
    attend_own(block, inputs, x);
    attend_source(block, inputs, x);
    feed_forward(decoder_, block, x, logits);
  }
  return logits;
}

}  // namespace sida::predictor

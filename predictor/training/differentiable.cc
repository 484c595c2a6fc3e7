#include "predictor/training/differentiable.h"

#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "common/compute/relative_position.h"
#include "predictor/training/differentiable_published.h"

namespace sida::predictor {
namespace {

constexpr double kMasked = -1e9;

class MiniatureModule {
 public:
  MiniatureModule(const NetworkShape& shape, const Parameters& parameters, const at::Tensor& embedding)
      : shape_(shape), parameters_(parameters), embedding_(embedding) {}

  NetworkOutput run(const Batch& batch) const {
    NetworkOutput output;
    at::Tensor x = embed(batch.source.tokens);
    const at::Tensor mask = padding_mask(batch.source.real);
    const at::Tensor bias = positions("encoder.", x.size(1), compute::Direction::kBidirectional) + mask;
    std::vector<at::Tensor> named;
    for (std::size_t block = 0; block < shape_.encoder.inner.size(); ++block) {
      const std::string at = "encoder.block." + std::to_string(block) + ".";
      x = attend(at + "attention.", x, x, bias, /*own=*/true);
      x = feed_forward("encoder.", shape_.encoder, block, x, batch.source.real, named);
    }
    output.source = sharpened("encoder.", named);
    if (!shape_.has_decoder()) return output;
    const at::Tensor encoded = norm(x, "encoder.final_norm");

    x = embed(batch.target.tokens);
    const at::Tensor causal = positions("decoder.", x.size(1), compute::Direction::kCausal);
    named.clear();
    for (std::size_t block = 0; block < shape_.decoder.inner.size(); ++block) {
      const std::string at = "decoder.block." + std::to_string(block) + ".";
      x = attend(at + "attention.", x, x, causal, /*own=*/true);
      x = attend(at + "cross_attention.", x, encoded, mask, /*own=*/false);
      x = feed_forward("decoder.", shape_.decoder, block, x, batch.target.real, named);
    }
    output.target = sharpened("decoder.", named);
    return output;
  }

 private:
  at::Tensor embed(const at::Tensor& tokens) const {
    const at::Tensor embedded = at::embedding(embedding_, tokens);
    return shape_.width == embedding_.size(1) ? embedded : at::linear(embedded, parameters_.at("input"));
  }

  at::Tensor norm(const at::Tensor& x, const std::string& name) const {
    const at::Tensor scale = at::rsqrt(x.square().mean(-1, /*keepdim=*/true) + static_cast<double>(kNormEpsilon));
    return x * scale * parameters_.at(name);
  }

  // [B, 1, 1, S]
  static at::Tensor padding_mask(const at::Tensor& real) {
    return at::where(real, 0.0, kMasked).to(at::kFloat).unsqueeze(1).unsqueeze(1);
  }

  // [1, heads, S, S]: the bias of every distance, and what a causal direction hides.
  at::Tensor positions(const std::string& stack, std::int64_t length, compute::Direction direction) const {
    at::Tensor buckets = at::empty({length, length}, at::kLong);
    auto* bucket = buckets.mutable_data_ptr<std::int64_t>();
    for (std::int64_t query = 0; query < length; ++query) {
      for (std::int64_t key = 0; key < length; ++key) {
        *bucket++ = compute::relative_position_bucket(key - query, direction);
      }
    }
    at::Tensor bias = at::embedding(parameters_.at(stack + "position_bias"), buckets).permute({2, 0, 1}).unsqueeze(0);
    if (direction == compute::Direction::kBidirectional) return bias;
    return bias + at::full({length, length}, kMasked, at::kFloat).triu(1);
  }

  at::Tensor split(const at::Tensor& x) const {
    return x.view({x.size(0), x.size(1), shape_.heads, shape_.head_width}).transpose(1, 2);
  }

  at::Tensor attend(const std::string& at, const at::Tensor& x, const at::Tensor& memory, const at::Tensor& bias,
                    bool own) const {
    const at::Tensor read = norm(x, at + "norm");
    const at::Tensor& seen = own ? read : memory;
    const at::Tensor query = split(at::linear(read, parameters_.at(at + "query")));
    const at::Tensor key = split(at::linear(seen, parameters_.at(at + "key")));
    const at::Tensor value = split(at::linear(seen, parameters_.at(at + "value")));
    const at::Tensor weights = at::softmax(at::matmul(query, key.transpose(2, 3)) + bias, -1);
    const at::Tensor mixed = at::matmul(weights, value).transpose(1, 2).reshape({x.size(0), x.size(1), -1});
    return x + at::linear(mixed, parameters_.at(at + "output"));
  }

  at::Tensor feed_forward(const std::string& stack, const StackShape& shape, std::size_t block, const at::Tensor& x,
                          const at::Tensor& real, std::vector<at::Tensor>& named) const {
    const std::string at = stack + "block." + std::to_string(block) + ".feed_forward.";
    const at::Tensor read = norm(x, at + "norm");
    for (std::size_t layer = 0; layer < shape.gates.size(); ++layer) {
      if (static_cast<std::size_t>(shape.gates[layer]) != block) continue;
      named.push_back(at::linear(read.index({real}), parameters_.at(stack + "gate." + std::to_string(layer))));
    }
    if (shape.inner[block] == 0) return x;
    return x + at::linear(at::relu(at::linear(read, parameters_.at(at + "wi"))), parameters_.at(at + "wo"));
  }

  NamedExperts sharpened(const std::string& stack, const std::vector<at::Tensor>& named) const {
    const at::Tensor raw = at::stack(named, 1);
    return {raw, raw * parameters_.at(stack + "sharpness").unsqueeze(-1)};
  }

  const NetworkShape& shape_;
  const Parameters& parameters_;
  const at::Tensor& embedding_;
};

}  // namespace

NetworkOutput run_network(const NetworkShape& shape, const ModelShape& model, const Parameters& parameters,
                          const at::Tensor& embedding, const Batch& batch) {
  if (shape.variant == Variant::kMiniature) return MiniatureModule(shape, parameters, embedding).run(batch);
  const at::Tensor logits = run_published(model, parameters, embedding, batch.source);
  return {{logits, logits}, {}};
}

}  // namespace sida::predictor

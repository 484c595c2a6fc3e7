// What the learned networks have in common: source in, the gates' logits out.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "predictor/network/owned_rows.h"

namespace sida::predictor {

// What a decoder that has read some tokens remembers.
class DecoderMemory {
 public:
  virtual ~DecoderMemory() = default;
};

struct EncodedSource {
  // Per encoder MoE layer [tokens, experts] fp32: the softmax is the probability that the gate chooses the expert.
  std::vector<OwnedRows> logits;
  std::unique_ptr<DecoderMemory> memory;  // Null where the network has no decoder.
};

struct DecoderToken {
  DecoderMemory* memory = nullptr;  // That encode() of the same network made.
  std::int32_t token = 0;
};

// One thread. A source's or a decoder's result does not depend on what else is in the call, to the last bit.
class Network {
 public:
  virtual ~Network() = default;
  virtual std::vector<EncodedSource> encode(std::span<const std::span<const std::int32_t>> sources) = 0;
  // Per decoder MoE layer [inputs, experts] fp32; empty where the network has no decoder. No memory twice.
  virtual std::vector<OwnedRows> decode(std::span<const DecoderToken> inputs) = 0;
};

}  // namespace sida::predictor

// The hash function seam: from token ids to the experts that each token will use in every MoE layer.
// Implementations: a table by token id (token_id_table.h). Learned functions and recorded routes fit behind it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/proto/messages.h"

namespace sida::predictor {

struct HashFunctionInfo {
  std::string kind;                // As in predictor.json: "token_id_table".
  proto::Fingerprint predictor{};  // Of the function's own weights.
  std::int32_t encoder_layers = 0;
  std::int32_t decoder_layers = 0;
  bool names_decoder = true;  // False: of the decoder's layers it says nothing.
  std::uint8_t k_max = 1;     // Experts per token that it can name.
  // What a sequence's state takes at most: so much, and so much for each token of its source.
  std::size_t state_bytes = 0;
  std::size_t state_bytes_per_source_token = 0;
};

// What the function keeps between the tokens of one decoder. Released on the thread that uses the function.
class SequenceState {
 public:
  virtual ~SequenceState() = default;
};

struct Source {
  std::span<const std::int32_t> tokens;  // Any ids from 0; those that the model does not have get no prediction.
  std::uint8_t k = 1;                    // 1 to k_max.
};

struct DecoderInput {
  SequenceState* state = nullptr;
  std::int32_t token = 0;
  std::uint8_t k = 1;
};

// For some tokens in all layers of one stack, the best expert first.
struct Predictions {
  std::uint32_t layers = 0;
  std::uint32_t tokens = 0;
  std::uint8_t k = 1;
  std::vector<std::int16_t> experts;  // [layers, tokens, k]; -1: no prediction.
  std::vector<float> confidences;     // [layers, tokens, k], in [0, 1].
};

// A sequence whose source was read.
struct Beginning {
  Predictions predictions;               // Of the source, over the encoder's layers.
  std::unique_ptr<SequenceState> state;  // Of its decoder, which has not seen a token yet.
};

// One thread. Calls compute and may take milliseconds; they never fail.
class HashFunction {
 public:
  virtual ~HashFunction() = default;
  [[nodiscard]] virtual const HashFunctionInfo& info() const = 0;
  // One result per source. What it says of one source does not depend on the others.
  virtual std::vector<Beginning> begin(std::span<const Source> sources) = 0;
  // One result per input, of one token over the decoder's layers, or of no layer where it says nothing of decoders. In
  // order: a state may occur more than once. A state
  // is one that begin() made.
  virtual std::vector<Predictions> advance(std::span<const DecoderInput> inputs) = 0;
};

}  // namespace sida::predictor

// What a trace says: of the file, and of each sequence in it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/model/fingerprint.h"

namespace sida::trace {

// Gate probabilities kept per token and layer: the hash function is distilled from the teacher's 30 largest logits
// (SiDA-MoE, Du et al. 2024, arXiv 2310.18859, section 3.3).
inline constexpr std::int32_t kTopMax = 30;

inline constexpr std::size_t kTaskBytesMax = 255;
inline constexpr std::int64_t kTokensMax = 1 << 20;         // Of one source or target.
inline constexpr std::size_t kPayloadBytesMax = 256 << 20;  // Of one sequence.
inline constexpr std::int32_t kExpertsMax = 32768;          // Of one layer.
inline constexpr std::int32_t kLayersMax = 1024;            // Of one stack.

// The same for all sequences of a file.
struct TraceHeader {
  model::Fingerprint model{};
  model::Fingerprint tokenizer{};   // tokenizer::fingerprint(); zero for a model without a tokeniser.
  std::int32_t num_experts = 0;     // Of every MoE layer.
  std::int32_t encoder_layers = 0;  // MoE layers.
  std::int32_t decoder_layers = 0;
  std::int32_t vocab_size = 0;
  std::int32_t decoder_start_token = 0;

  // Gate probabilities per token and layer: kTopMax, or all experts where there are fewer.
  [[nodiscard]] std::int32_t top() const { return num_experts < kTopMax ? num_experts : kTopMax; }
  bool operator==(const TraceHeader&) const = default;
};

// One MoE layer over the tokens of one sequence, in their order.
struct TracedLayer {
  std::vector<std::int16_t> gate;    // [tokens], the gate's choice.
  std::vector<std::int16_t> served;  // [tokens], the expert that served the token; -1 where capacity dropped it.
  // The gate's largest probabilities, best first: expert and natural logarithm of its softmax over *all* experts, so
  // exp() of them sums to the gate mass that they hold, and differences of them are differences of router logits.
  // Stored as fp16: within 0.05 % of the value; at least kLogProbabilityMin.
  std::vector<std::int16_t> top_experts;     // [tokens, top]
  std::vector<float> top_log_probabilities;  // [tokens, top], not increasing within a token, at most 0.

  bool operator==(const TracedLayer&) const = default;
};

// A probability that the gate's fp32 softmax rounds to zero is recorded as this.
inline constexpr float kLogProbabilityMin = -104.0F;

struct TracedSequence {
  std::uint64_t ordinal = 0;   // Its place in the input (line, from 0); unique in a file, and what resuming goes by.
  std::string task;            // Where it comes from, as the input says: "short"; may be empty.
  bool teacher_forced = true;  // Else the model itself wrote the target.
  std::vector<std::int32_t> source;  // What the encoder read, with the end token where there was one.
  // What the decoder said or was told to say, with the end token where there was one. Row i of a decoder layer belongs
  // to the step that yields target[i]: its input is decoder_input(header, *this)[i].
  std::vector<std::int32_t> target;
  std::vector<TracedLayer> encoder;  // [encoder_layers] over source
  std::vector<TracedLayer> decoder;  // [decoder_layers] over target

  bool operator==(const TracedSequence&) const = default;
};

// The start token, and the target without its last token: what the decoder read, one token per row. [target.size()]
std::vector<std::int32_t> decoder_input(const TraceHeader& header, const TracedSequence& sequence);

}  // namespace sida::trace

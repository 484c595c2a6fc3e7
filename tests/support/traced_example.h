// A trace header and sequences that fit it, with every field in use.
#pragma once

#include <algorithm>

#include "common/trace/traced_sequence.h"

namespace sida::test {

inline trace::TraceHeader trace_header(std::int32_t num_experts = 3) {
  trace::TraceHeader header;
  header.model.fill(7);
  header.tokenizer.fill(9);
  header.num_experts = num_experts;
  header.encoder_layers = 2;
  header.decoder_layers = 1;
  header.vocab_size = 40;
  header.decoder_start_token = 5;
  return header;
}

// Token t of layer l prefers expert (t + l) and its successors, each half as likely as the one before; token 1 is
// dropped. The probabilities survive fp16.
inline trace::TracedLayer traced_layer(const trace::TraceHeader& header, std::size_t tokens, std::size_t layer) {
  trace::TracedLayer traced;
  const auto experts = static_cast<std::size_t>(header.num_experts);
  for (std::size_t token = 0; token < tokens; ++token) {
    const std::size_t first = (token + layer) % experts;
    traced.gate.push_back(static_cast<std::int16_t>(first));
    traced.served.push_back(token == 1 ? std::int16_t{-1} : traced.gate.back());
    for (std::size_t rank = 0; rank < static_cast<std::size_t>(header.top()); ++rank) {
      traced.top_experts.push_back(static_cast<std::int16_t>((first + rank) % experts));
      traced.top_log_probabilities.push_back(-0.5F - 0.75F * static_cast<float>(rank));
    }
  }
  return traced;
}

inline trace::TracedSequence traced_sequence(const trace::TraceHeader& header, std::uint64_t ordinal) {
  trace::TracedSequence sequence;
  sequence.ordinal = ordinal;
  sequence.task = ordinal % 2 == 0 ? "short" : "";
  sequence.teacher_forced = ordinal % 2 == 0;
  for (std::int32_t token = 0; token < 4 + static_cast<std::int32_t>(ordinal); ++token) {
    sequence.source.push_back(token + 1);
  }
  sequence.target = {11, 12, 1};
  for (std::size_t layer = 0; layer < static_cast<std::size_t>(header.encoder_layers); ++layer) {
    sequence.encoder.push_back(traced_layer(header, sequence.source.size(), layer));
  }
  for (std::size_t layer = 0; layer < static_cast<std::size_t>(header.decoder_layers); ++layer) {
    sequence.decoder.push_back(traced_layer(header, sequence.target.size(), layer + 2));
  }
  return sequence;
}

}  // namespace sida::test

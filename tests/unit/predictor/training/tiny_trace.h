// Recorded sequences for tests: random tokens, and gates that follow a simple rule of them.
#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "common/trace/trace_writer.h"
#include "common/trace/traced_sequence.h"

namespace sida::predictor {

inline trace::TraceHeader tiny_header(const model::Fingerprint& model) {
  trace::TraceHeader header;
  header.model = model;
  header.num_experts = 3;
  header.encoder_layers = 2;
  header.decoder_layers = 1;
  header.vocab_size = 40;
  return header;
}

// The gate of layer L gives token t to expert (t + L) % 3.
inline trace::TracedLayer tiny_layer(const std::vector<std::int32_t>& tokens, std::int32_t layer) {
  trace::TracedLayer traced;
  for (const std::int32_t token : tokens) {
    const auto expert = static_cast<std::int16_t>((token + layer) % 3);
    traced.gate.push_back(expert);
    traced.served.push_back(expert);
    for (std::int16_t rank = 0; rank < 3; ++rank) {
      traced.top_experts.push_back(static_cast<std::int16_t>((expert + rank) % 3));
      traced.top_log_probabilities.push_back(std::log(rank == 0 ? 0.5F : 0.25F));
    }
  }
  return traced;
}

inline trace::TracedSequence tiny_sequence(const trace::TraceHeader& header, std::uint64_t ordinal) {
  trace::TracedSequence sequence;
  sequence.ordinal = ordinal;
  sequence.task = ordinal % 2 == 0 ? "short" : "long";
  std::uint64_t state = ordinal + 1;
  const auto next = [&state] {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::int32_t>((state >> 33U) % 40);
  };
  for (std::uint64_t i = 0; i < 3 + ordinal % 9; ++i) sequence.source.push_back(next());
  for (std::uint64_t i = 0; i < 1 + ordinal % 4; ++i) sequence.target.push_back(next());
  for (std::int32_t layer = 0; layer < header.encoder_layers; ++layer) {
    sequence.encoder.push_back(tiny_layer(sequence.source, layer));
  }
  const std::vector<std::int32_t> read = trace::decoder_input(header, sequence);
  for (std::int32_t layer = 0; layer < header.decoder_layers; ++layer) {
    sequence.decoder.push_back(tiny_layer(read, layer));
  }
  return sequence;
}

}  // namespace sida::predictor

// Which experts the layers of a model need, step by step, and what a hash table says of it beforehand.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/ids.h"
#include "common/trace/traced_sequence.h"

namespace sida::worker::replay {

// Rows of one call of a layer that go to one expert.
struct Need {
  ExpertId expert;
  std::uint32_t rows = 0;
  bool operator==(const Need&) const = default;
};

struct LayerCall {
  LayerId layer;
  std::vector<Need> needs;      // What the gate decides; in order of experts.
  std::vector<Need> predicted;  // What the table says; by need, the busiest expert first.
};

// What the trunk runs for one sequence in one go: the encoder over its source, or the decoder over one token.
struct Step {
  bool decoder = false;
  std::vector<LayerCall> calls;  // In the order in which they come.
};

struct Routes {
  std::int32_t moe_layers = 0;
  std::int32_t experts_per_layer = 0;
  std::vector<std::vector<Step>> sequences;  // Each the encoder's step, then the decoder's.

  [[nodiscard]] std::uint64_t experts_total() const {
    return static_cast<std::uint64_t>(moe_layers) * static_cast<std::uint64_t>(experts_per_layer);
  }
};

// Without sequences: the geometry of a trace.
Routes routes_of(const trace::TraceHeader& header);
// The sequence as it was served; tokens that capacity dropped need no expert. Nothing is predicted.
void append(const trace::TraceHeader& header, const trace::TracedSequence& sequence, Routes& routes);

// Routes as a source of tokens with favourite experts makes them, for tests and for geometries that were not traced.
struct MadeUp {
  std::int32_t encoder_layers = 2;
  std::int32_t decoder_layers = 2;
  std::int32_t experts = 16;
  std::size_t sequences = 20;
  std::uint32_t source_tokens = 16;
  std::uint32_t target_tokens = 8;
  double skew = 1;  // Expert e is chosen in proportion to 1 / (1 + e) ^ skew; 0: evenly.
  std::uint64_t seed = 1;
};
Routes make_up(const MadeUp& how);

// Fills in what the table says: for each row the expert that the gate decides with this probability, else any other.
void predict(Routes& routes, double accuracy, std::uint64_t seed);

}  // namespace sida::worker::replay

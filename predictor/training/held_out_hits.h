// How well a hash function names the experts of recorded sequences: through the seam that serves, step by step.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/trace/traced_sequence.h"
#include "predictor/hash/hash_function.h"

namespace sida::predictor {

// Of one MoE layer. Shares in percent of `tokens`.
struct LayerHits {
  std::int64_t tokens = 0;
  std::int64_t top1 = 0;
  std::int64_t top3 = 0;
  double gate_mass = 0;   // Sum of the gate's probabilities of the three named experts.
  double confidence = 0;  // Sum of the confidences of the first.

  [[nodiscard]] double percent(double sum) const { return tokens == 0 ? 0 : 100 * sum / static_cast<double>(tokens); }
};

struct StackHits {
  std::vector<LayerHits> encoder;
  std::vector<LayerHits> decoder;
};

// By task, as the trace names it; "" where it does not.
using TaskHits = std::map<std::string, StackHits>;

// Adds one sequence.
void count_hits(const trace::TraceHeader& header, const trace::TracedSequence& sequence, HashFunction& function,
                TaskHits& to);

}  // namespace sida::predictor

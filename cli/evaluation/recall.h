// How much of what the gate chose a prediction named.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/trace/traced_sequence.h"
#include "predictor/hash/hash_function.h"

namespace sida::cli {

// Of some tokens in one MoE layer, or in several.
struct Recall {
  std::uint64_t tokens = 0;
  std::uint64_t top1 = 0;  // Tokens whose gate chose the expert predicted first.
  std::uint64_t top3 = 0;  // Tokens whose gate chose one of the first three.
  double gate_mass = 0;    // Sum over the tokens of the gate's probabilities of the first three.

  Recall& operator+=(const Recall& more);
  // `count` in percent of the tokens; 0 of none.
  [[nodiscard]] double percent(double count) const;
  bool operator==(const Recall&) const = default;
};

// Of one stack, per MoE layer.
using StackRecall = std::vector<Recall>;
Recall total(const StackRecall& layers);

struct SequenceRecall {
  StackRecall encoder;
  StackRecall decoder;

  SequenceRecall& operator+=(const SequenceRecall& more);
};

// By the task's name.
using TaskRecall = std::map<std::string, SequenceRecall>;
SequenceRecall all_tasks(const TaskRecall& tasks);

// One stack of one sequence: a token without prediction counts as missed. Layers and tokens must be those of the
// predictions.
StackRecall recall_of(const trace::TraceHeader& header, const std::vector<trace::TracedLayer>& layers,
                      const predictor::Predictions& predictions);

// How evenly a layer's experts are chosen: entropy of their shares over its maximum, 0 to 1.
double normalised_entropy(const std::vector<std::uint64_t>& tokens_by_expert);

}  // namespace sida::cli

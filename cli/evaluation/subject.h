// What an evaluation measures: anything that names experts for the tokens of a sequence.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/trace/traced_sequence.h"
#include "predictor/hash/predictor_directory.h"

namespace sida::cli {

// What a subject says of one sequence, of all its tokens in all layers of each stack.
struct Named {
  predictor::Predictions encoder;
  predictor::Predictions decoder;
};

// Seconds of computing so far, and of how many tokens.
struct Cost {
  double source_seconds = 0;
  double target_seconds = 0;
  std::uint64_t source_tokens = 0;
  std::uint64_t target_tokens = 0;
};

// One thread.
class Subject {
 public:
  virtual ~Subject() = default;
  // One result per sequence; names up to three experts per token.
  virtual std::vector<Named> name_experts(std::span<const trace::TracedSequence> sequences) = 0;
  [[nodiscard]] virtual Cost cost() const { return {}; }
};

// A hash function, asked as the predictor process asks it: sources together, then token by token of the decoders.
// `function` outlives the subject.
std::unique_ptr<Subject> make_hash_subject(predictor::HashFunction& function, const trace::TraceHeader& header);

// For every token the three experts that the gate chose most often: `tokens_by_expert` [layer][expert], encoder's
// layers first.
std::unique_ptr<Subject> make_commonest_subject(const std::vector<std::vector<std::uint64_t>>& tokens_by_expert,
                                                const trace::TraceHeader& header);

// What was recorded: the gate's choice, then its next likely experts. What the best hash function would say.
std::unique_ptr<Subject> make_oracle_subject(const trace::TraceHeader& header);

}  // namespace sida::cli

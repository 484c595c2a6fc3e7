// The sequences of one beam search in the trunk: their states, and from a step's scores to those of the next step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "router/core/request.h"
#include "router/trunk/beam_search.h"
#include "router/trunk/sequence_state.h"

namespace sida::router {

// Each beam is a sequence of its own: one decoder row a step, its own self-attention caches; the cross-attention caches
// are shared. So its bits are those of the same sequence decoded alone. The trunk's thread only.
class BeamDecoder {
 public:
  // `params.beam_search` is given.
  BeamDecoder(SamplingParams params, std::vector<std::int32_t> end_tokens);

  // What the next step decodes, one row each. The first time takes the state of the encoded sequence over. Valid until
  // advance().
  std::vector<SequenceState*> states(SequenceState& encoded);

  // Scores of the vocabulary for one of those rows, in order; they are changed. `log_sum`: their log_sum_exp.
  void take_row(std::size_t row, std::span<float> scores, double log_sum);

  // After all rows of a step. True when the search is over.
  bool advance();
  // Then: the best first.
  [[nodiscard]] std::vector<BeamResult> results() const;

 private:
  SamplingParams params_;
  std::vector<std::int32_t> end_tokens_;
  BeamSearch search_;
  std::vector<SequenceState> beams_;
  std::vector<std::vector<BeamCandidate>> candidates_;  // Per row of the step.
  std::vector<std::vector<TokenLogprob>> top_;          // Per row of all steps.
};

}  // namespace sida::router

// Which continuations a beam search keeps, which of its sequences have ended, and when it is over. Pure: no scores of a
// whole vocabulary, no caches. Semantics: transformers 4.57.1, generation/utils.py, `_beam_search` of one source.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "router/core/request.h"

namespace sida::router {

// One way for a running sequence to go on.
struct BeamCandidate {
  std::int32_t token = 0;
  float score = 0;    // What it adds to the sequence's: its log-probability after the filters; -infinity: excluded.
  float logprob = 0;  // Before the filters.
};

struct BeamToken {
  std::int32_t token = 0;
  float logprob = 0;    // Before the filters.
  std::size_t row = 0;  // That it was chosen from, counted over all steps.
  bool operator==(const BeamToken&) const = default;
};

class BeamSearch {
 public:
  struct Running {
    std::vector<BeamToken> tokens;
    float score = 0;         // Sum of what its tokens added.
    std::size_t parent = 0;  // Which of the last step's rows it goes on from.
  };
  struct Ended {
    std::vector<BeamToken> tokens;
    float score = 0;      // Over the length to the power of the length penalty.
    bool by_end = false;  // Its last token is an end token; else it is as long as it may be.
  };

  // `max_new_tokens` is 1 or more. Of equal scores the one of the earlier row, and in a row the earlier one, is better.
  BeamSearch(const BeamParams& params, std::int32_t max_new_tokens, std::vector<std::int32_t> end_tokens);

  // The best candidates of a row that a step may need.
  [[nodiscard]] std::size_t candidates() const;
  // Rows of the next step: one for each running sequence, and one for all of them before the first step, when they are
  // equal.
  [[nodiscard]] std::size_t rows() const { return generated_ == 0 ? 1 : running_.size(); }

  // Of each row its best candidates(), or all that there are, the best first. Only while it is not over.
  void advance(std::span<const std::vector<BeamCandidate>> rows);

  [[nodiscard]] bool over() const { return over_; }
  // What the next step's rows continue.
  [[nodiscard]] const std::vector<Running>& running() const { return running_; }
  [[nodiscard]] std::int32_t generated() const { return generated_; }  // Tokens of each running sequence.
  // As many as are to be returned, the best first, once it is over. Where the filters left too few that could end, the
  // best that ran stand in.
  [[nodiscard]] std::vector<Ended> results() const;

 private:
  struct Continuation;

  [[nodiscard]] std::vector<Continuation> best_continuations(std::span<const std::vector<BeamCandidate>> rows) const;
  [[nodiscard]] std::vector<BeamToken> tokens_of(const Continuation& continuation) const;
  [[nodiscard]] float per_length(float score, std::int32_t length) const;
  [[nodiscard]] bool may_improve() const;
  void end(const Continuation& continuation);
  void run_on(std::vector<Continuation> best);

  const BeamParams params_;
  const std::int32_t max_new_tokens_;
  const std::vector<std::int32_t> end_tokens_;
  std::int32_t generated_ = 0;
  std::size_t rows_before_ = 0;  // Of earlier steps.
  std::vector<Running> running_;
  std::vector<Ended> ended_;  // The best first, at most `beams`.
  bool over_ = false;
};

}  // namespace sida::router

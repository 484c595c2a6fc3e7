// Runs steps: keeps the sequences' state, starts the coroutines of a step, samples, and says when the step is done.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "common/compute/backend.h"
#include "router/trunk/beam_decoder.h"
#include "router/trunk/experts.h"
#include "router/trunk/forward.h"
#include "router/trunk/sequence_state.h"
#include "router/trunk/step.h"
#include "router/trunk/task.h"
#include "router/trunk/trunk_weights.h"

namespace sida::router {

// The trunk's thread only. Encoder and decoder work of a step are two coroutines; one computes while another waits for
// experts, of the same step or of another that runs.
class StepRunner {
 public:
  StepRunner(const TrunkWeights& weights, compute::Backend& backend, Experts& experts, RoutingOptions routing = {});
  ~StepRunner();

  // Runs until both coroutines wait (or are done). A sequence may be in one running step only.
  void start(TrunkStep step);
  [[nodiscard]] bool running() const { return !running_.empty(); }
  // The outcomes of a step whose coroutines are done, if there is one; the dispatch counters are left to the caller.
  std::optional<StepDone> take_done();

  // Coroutines that have not ended.
  [[nodiscard]] std::size_t coroutines() const;

  [[nodiscard]] std::size_t sequences() const { return sequences_.size(); }

 private:
  struct Sequence {
    SequenceState state;
    SamplingParams sampling;
    std::vector<std::int32_t> target;
    std::vector<std::int32_t> end_tokens;
    std::int64_t generated = 0;
    std::optional<BeamDecoder> beams;  // Of a beam search: what `state` becomes once it is encoded.
    bool record_gates = false;
  };
  struct Running;

  void add_sequence(NewSequence&& sequence);
  // Hands the sequence its entries of the step's `rows` rows, if there are any.
  static void take_table(Running& step, SequenceState& state, std::size_t rows);
  void finish_encode(Running& step, StepDone& done);
  void finish_decode(Running& step, StepDone& done);
  void read_out(Running& step, const DecodeOutput& output, std::vector<SequenceOutcome>& outcomes);
  // When all rows of its step were taken.
  static void advance_beams(BeamDecoder& beams, SequenceOutcome& outcome);
  // `log_sum`: log_sum_exp of the unfiltered scores.
  void sample(Sequence& sequence, std::span<float> scores, double log_sum, SequenceOutcome& outcome);

  const TrunkWeights& weights_;
  compute::Backend& backend_;
  Experts& experts_;
  const RoutingOptions routing_;
  std::map<SequenceId, std::unique_ptr<Sequence>> sequences_;
  std::vector<std::unique_ptr<Running>> running_;  // The oldest first.
};

}  // namespace sida::router

// Decides which sequences wait, which run, and what the next step of the trunk computes. No I/O, no clock, no tokens:
// only their numbers.
//
// A sequence waits, is encoded in one step, and decodes in later steps until its caller says that it finished. It
// leaves exactly once: named in `finished` of step_done(), or returned by ended().
//
// Steps are of two kinds, and one of each may be in flight: a token step decodes one row of every running sequence, a
// long step encodes sources and scores targets. So a long prompt does not hold up the tokens of the others.
//
// Sources are encoded together with others that will use the same experts, as far as the hash table has told
// (batch_chooser.h). The first in line is in every batch, and nobody is overtaken any more once it waits overtake_max
// longer than it would have in order of arrival. The line is in order of arrival for each client, and fair between
// clients (fair_shares.h).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/runtime/clock.h"
#include "router/scheduling/batch_chooser.h"
#include "router/scheduling/expert_set.h"
#include "router/scheduling/fair_shares.h"
#include "router/scheduling/turns.h"
#include "router/scheduling/wait_estimate.h"

namespace sida::router {

struct SchedulerLimits {
  // Sequences not yet encoded; beyond: kOverloaded. The last eighth is for clients that have none waiting, so that one
  // client's flood does not shut out the others.
  std::size_t waiting_max = 512;
  std::int64_t waiting_tokens_max = 1 << 18;  // Their source and target tokens; beyond: kOverloaded.
  std::size_t running_max = 256;              // Sequences with a cache; the others wait.
  std::int64_t cache_tokens_max = 1 << 16;    // Source, target and new tokens of those; one sequence alone always fits.
  std::int64_t rows_max = 2048;               // Of a long step: source and target rows together.
  std::size_t sources_max = SIZE_MAX;         // Encoded in one step.
  Duration overtake_max{0};  // Extra wait of a source for others' experts; 0: first come, first served.
};

// A sequence that wants to be computed.
struct Arrival {
  SequenceId sequence;
  std::int64_t source_tokens = 0;  // 1 or more.
  std::int64_t target_tokens = 0;  // Of a scoring sequence; 0: it generates, or is classified.
  TimePoint deadline = TimePoint::max();
  std::int64_t new_tokens = 0;  // That it generates at most, in each of its beams.
  std::int64_t beams = 1;
  std::uint64_t client = 0;  // Whose it is.
};

struct StepPlan {
  StepId step;
  std::vector<SequenceId> encode;  // The whole source; first decoded in a later step.
  std::vector<SequenceId> decode;  // One row each; all targets of a scoring sequence, which then finishes.
};

// A sequence that left without finishing.
struct EndedSequence {
  SequenceId sequence;
  ErrorCode code = ErrorCode::kCancelled;  // Or kDeadlineExceeded.
  bool operator==(const EndedSequence&) const = default;
};

// One thread.
class SchedulerCore {
 public:
  explicit SchedulerCore(SchedulerLimits limits) : limits_(limits) {}

  // kOverloaded, and nothing kept, when the queue is full, or when the sequence would probably not be done by its
  // deadline (wait_estimate.h). To an empty queue one is always admitted whatever its length, and whatever its deadline
  // if nothing runs.
  Result<void> submit(const Arrival& arrival, TimePoint now);

  // A token step if none is in flight and some sequence decodes: every running sequence that is in no step. Else, if
  // none is in flight, a long step: scoring targets, then sources, the oldest first, while rows_max lasts; one of them
  // is taken even if it is longer, so that nothing starves. Nothing when there is no such work. To be asked until then.
  std::optional<StepPlan> next_step(TimePoint now);

  // `finished`: sequences of that step that are done, with a result or with the caller's error. The others go on.
  void step_done(StepId step, std::span<const SequenceId> finished, TimePoint now);

  // Starts nothing more for it. It leaves through ended(), at once or at the end of its step; unless that step's
  // `finished` names it. Unknown ids are ignored.
  void cancel(SequenceId sequence);

  // Nothing of it is computed before `until`, unless release() comes first. Unknown ids are ignored.
  void hold(SequenceId sequence, TimePoint until);
  void release(SequenceId sequence) { hold(sequence, TimePoint::min()); }

  // The experts that its source will use. Before that, and for ever where nobody predicts, it is first come, first
  // served. Unknown ids are ignored.
  void predicted(SequenceId sequence, ExpertSet experts);

  // Cancelled sequences and those past their deadline that are in no step. Each is returned once and forgotten.
  std::vector<EndedSequence> ended(TimePoint now);

  // The earliest deadline, or end of a hold that is not over, of a sequence that is in no step; TimePoint::max() when
  // there is none.
  [[nodiscard]] TimePoint next_deadline(TimePoint now) const;

  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
  [[nodiscard]] std::size_t running() const { return running_.size(); }
  [[nodiscard]] std::int64_t waiting_tokens() const { return waiting_tokens_; }
  [[nodiscard]] std::size_t steps_in_flight() const { return steps_.size(); }

 private:
  struct Sequence {
    std::int64_t source_tokens = 0;
    std::int64_t target_tokens = 0;
    TimePoint deadline;
    std::int64_t new_tokens = 0;
    std::int64_t beams = 1;
    std::uint64_t client = 0;
    TimePoint taken{};         // Out of the line.
    std::int64_t decoded = 0;  // Token steps that it was in.
    std::uint64_t number = 0;  // In turns_.
    std::int64_t place = 0;    // In line.
    std::optional<ExpertSet> experts;
    TimePoint held_until = TimePoint::min();
    bool in_step = false;
    bool cancelled = false;
    [[nodiscard]] std::int64_t tokens() const { return source_tokens + target_tokens; }
    [[nodiscard]] std::int64_t cache_tokens() const { return tokens() + new_tokens * beams; }
    [[nodiscard]] bool may_start(TimePoint now) const {
      return !in_step && !cancelled && now < deadline && now >= held_until;
    }
  };
  struct RowBudget;

  void plan_decodes(StepPlan& plan, TimePoint now);
  void plan_targets(StepPlan& plan, RowBudget& budget, TimePoint now);
  void plan_sources(StepPlan& plan, RowBudget& budget, TimePoint now);
  [[nodiscard]] std::vector<WaitingSource> startable_sources(TimePoint now) const;
  [[nodiscard]] bool fit_all(const std::vector<WaitingSource>& sources, const RowBudget& budget) const;
  [[nodiscard]] bool is_overdue(SequenceId waiting, TimePoint now) const;
  [[nodiscard]] Result<void> check_room(std::int64_t tokens, std::uint64_t client) const;
  [[nodiscard]] Result<void> check_time(const Sequence& sequence, TimePoint now) const;
  [[nodiscard]] WaitEstimate::Load load_with(const Sequence& sequence) const;
  void stand_in_line(SequenceId sequence);
  void admit(const WaitingSource& source, TimePoint now);
  void forget(SequenceId sequence, TimePoint now);
  void measure(const StepPlan& step, TimePoint now);
  void look_whether_tokens_flow();

  SchedulerLimits limits_;
  std::unordered_map<SequenceId, Sequence> sequences_;
  std::deque<SequenceId> waiting_;  // By place in line.
  FairShares shares_;               // Of those.
  Turns turns_;                     // The same.
  WaitEstimate estimate_;
  bool tokens_flow_ = false;          // Somebody has tokens and waits for the next one.
  ExpertPopularity popularity_;       // In sources lately.
  std::vector<SequenceId> running_;   // Encoded or in the step that encodes it, in order of admission.
  std::int64_t waiting_tokens_ = 0;   // Of waiting_.
  std::int64_t cache_tokens_ = 0;     // Of running_.
  std::map<StepId, StepPlan> steps_;  // In flight.
  StepId last_step_{0};
  std::optional<StepId> token_step_;  // Those in flight.
  std::optional<StepId> long_step_;
};

}  // namespace sida::router

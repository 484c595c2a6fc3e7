// What a predictor does with the messages of its routers: whom it greets, what it computes next, what it answers. No
// I/O, no clock, no hash function: (event, time) in, actions out, and work that the shell has computed.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "common/proto/messages.h"
#include "common/runtime/clock.h"
#include "common/transport/control_link.h"
#include "predictor/core/sequence_table.h"
#include "predictor/hash/hash_function.h"

namespace sida::predictor {

// What happens at a limit stands beside it. A prediction that is not made costs its router time, never correctness.
struct PredictorLimits {
  std::size_t routers_max = 64;                     // Further ones get no answer.
  std::chrono::seconds router_silence_max{10};      // Then the router and its sequences are forgotten.
  std::size_t sequences_max = 65536;                // The one untouched for longest makes room.
  std::size_t state_bytes_max = 1U << 30U;          // As above: those untouched for longest make room.
  std::chrono::seconds sequence_idle_max{15 * 60};  // Then its state is dropped.
  // Predicts and Advances beyond are not answered. A decoder whose Advance was lost goes on without having read that
  // token: what it says of later ones is a little worse, and better than nothing.
  std::size_t waiting_tokens_max = 1U << 20U;
  // Source tokens of a batch, and decoder tokens. A longer source is a batch of its own. Sources do not compute faster
  // together (docs/benchmarks.md), and the decoders' tokens, which are wanted at once, wait for a batch of them.
  std::size_t batch_tokens_max = 128;
};

// How many tokens of a source one HashTableEntries carries: the first answer leaves early and fits an envelope,
// whatever the model.
inline constexpr std::uint32_t kTokensPerMessage = 64;
static_assert(kTokensPerMessage * proto::kMaxLayers * proto::kMaxExpertsPerToken <= proto::kMaxEntries);

struct PredictorIdentity {
  WorkerId incarnation;
  std::string name;
  std::string software_version;
  proto::Fingerprint model{};
  std::uint32_t process_id = 0;
};

// What the shell does next, in order.
struct Send {
  transport::PeerId router;
  proto::Message message;
};
struct DropState {
  SequenceKey key;
};
using PredictorAction = std::variant<Send, DropState>;
using PredictorActions = std::vector<PredictorAction>;

// What the shell computes next with the hash function, steps first. A source also begins its sequence's state.
struct SourceWork {
  SequenceKey key;
  std::vector<std::int32_t> tokens;
  std::uint8_t k = 1;
  std::uint64_t beginning = 0;  // Of the sequence; void once it has begun anew.
};
struct StepWork {
  SequenceKey key;
  std::uint32_t position = 0;
  std::int32_t token = 0;
  std::uint8_t k = 1;
  std::uint64_t beginning = 0;
};
struct Work {
  std::vector<SourceWork> sources;
  std::vector<StepWork> steps;
  [[nodiscard]] bool empty() const { return sources.empty() && steps.empty(); }
};

// Counters since start.
struct PredictorCounters {
  std::uint64_t sources = 0;
  std::uint64_t source_tokens = 0;
  std::uint64_t source_batches = 0;
  std::uint64_t steps = 0;
  std::uint64_t entries = 0;  // (token, MoE layer) pairs sent.
  std::uint64_t expired = 0;  // Sequences idle for too long, or given up to make room.
  std::uint64_t refused_routers = 0;
  std::uint64_t ignored_messages = 0;  // From strangers, or of a kind or sequence that means nothing here.
  std::uint64_t dropped_overload = 0;  // Beyond waiting_tokens_max.
};

// Where the process's time went, since start.
struct PredictorTimes {
  Duration sources{};  // Reading sources, all in all.
  Duration steps{};    // Decoder tokens.
  Duration cpu{};      // Of a core, by all threads.
  Duration up{};
};

// One thread.
class PredictorCore {
 public:
  PredictorCore(PredictorIdentity identity, HashFunctionInfo function, PredictorLimits limits);

  PredictorActions received(transport::PeerId from, const proto::Message& message, TimePoint now);

  // The oldest waiting steps and the oldest waiting sources, as many as a batch may have, of sequences that are neither
  // forgotten nor begun anew. A sequence's steps come in a later batch than its source. Empty when nothing waits.
  Work take_work();
  // `sources[i]` and `steps[i]` answer those of `work`.
  PredictorActions finished(const Work& work, std::vector<Predictions> sources, std::vector<Predictions> steps);

  // Heartbeats, and what has expired.
  PredictorActions tick(TimePoint now);
  // What routers are told of the process.
  [[nodiscard]] PredictorActions report(const PredictorTimes& times, const proto::LinkFaults& faults = {}) const;
  [[nodiscard]] TimePoint next_tick() const { return next_tick_; }

  // The link found the router gone.
  PredictorActions router_gone(transport::PeerId router);
  // The process is about to end: routers send nothing new.
  PredictorActions drain() const;

  [[nodiscard]] const PredictorCounters& counters() const { return counters_; }
  [[nodiscard]] std::size_t routers() const { return routers_.size(); }
  [[nodiscard]] std::size_t sequences() const { return sequences_.size(); }

 private:
  struct Router {
    RouterId id;
    TimePoint last_heard;
  };
  PredictorActions hello(transport::PeerId from, const proto::Hello& hello, TimePoint now);
  PredictorActions predict(transport::PeerId from, const proto::Predict& predict, TimePoint now);
  void advance(transport::PeerId from, const proto::Advance& advance, TimePoint now);
  // Its sequence has been neither forgotten nor begun anew meanwhile.
  template <typename Waiting>
  [[nodiscard]] bool is_due(const Waiting& waiting) const {
    return sequences_.beginning(waiting.key) == waiting.beginning;
  }
  void take_steps(Work& work);
  void take_sources(Work& work);
  bool has_room(std::size_t tokens);  // False, and counted, beyond waiting_tokens_max.
  [[nodiscard]] std::uint8_t fitting_k(std::uint8_t wanted) const;
  [[nodiscard]] proto::Message welcome() const;
  void answer_source(const SourceWork& work, const Predictions& predictions, PredictorActions& actions);
  void answer_step(const StepWork& work, Predictions predictions, PredictorActions& actions);

  PredictorIdentity identity_;
  HashFunctionInfo function_;
  PredictorLimits limits_;
  std::map<transport::PeerId, Router> routers_;
  SequenceTable sequences_;
  std::deque<SourceWork> sources_;  // Waiting, in order of arrival, as steps_.
  std::deque<StepWork> steps_;
  std::size_t waiting_tokens_ = 0;  // Of both.
  std::uint64_t progress_ = 0;
  TimePoint next_tick_{};
  PredictorCounters counters_;
};

}  // namespace sida::predictor

// What the HTTP thread asks of the router agent, and what it gets back.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/proto/messages.h"
#include "common/runtime/clock.h"
#include "router/core/expert_rows.h"
#include "router/core/gate_record.h"
#include "router/core/latency_histogram.h"
#include "router/core/lead_times.h"
#include "router/dispatch/expert_lookups.h"
#include "router/routing/routing_mode.h"

namespace sida::router {

// When a beam search ends, with as many ended sequences as beams: at once (kYes), when the best that runs has no higher
// score than the worst of them (kNo), or could have none at any length (kNever). Hugging Face's `early_stopping`.
enum class EarlyStopping { kNo, kYes, kNever };

struct BeamParams {
  std::int32_t beams = 2;     // Sequences that run at once; 2 or more.
  std::int32_t returned = 1;  // The best of those that ended; at most `beams`.
  double length_penalty = 1;  // A score is the sum of log-probabilities over the number of tokens to this power.
  EarlyStopping early_stopping = EarlyStopping::kNo;
};

struct SamplingParams {
  std::int32_t max_new_tokens = 16;
  std::int32_t min_new_tokens = 0;
  float temperature = 0;   // 0: greedy.
  std::int32_t top_k = 0;  // 0: off.
  float top_p = 1;
  float repetition_penalty = 1;
  std::int32_t no_repeat_ngram_size = 0;
  std::uint64_t seed = 0;
  std::vector<std::int32_t> stop_token_ids;  // Besides the model's end tokens.
  std::int32_t logprobs = 0;  // Alternatives per token to return, 0 to 5; the chosen token's own is always returned.
  std::optional<BeamParams> beam_search;  // Given: temperature, top_k, top_p and seed do not apply.
};

struct GenerateJob {
  std::vector<std::int32_t> input_ids;  // With the end token; not empty.
  SamplingParams sampling;
};

// Teacher-forced: the decoder reads start + target[:-1] and scores target.
struct ScoreJob {
  std::vector<std::int32_t> input_ids;
  std::vector<std::int32_t> target_ids;  // Not empty.
};

// The encoder alone, and a head for sequence classification on the mean of its output.
struct ClassifyJob {
  std::vector<std::int32_t> input_ids;  // With the end token; not empty.
  std::size_t head = 0;                 // Of the model's heads, by name.
};

enum class FinishReason { kStop, kLength };

struct TokenLogprob {
  std::int32_t token = 0;
  float logprob = 0;  // Natural logarithm, of the unfiltered distribution.
};

struct GeneratedToken {
  std::int32_t token = 0;
  float logprob = 0;
  std::vector<TokenLogprob> top;  // `logprobs` alternatives, best first.
};

// One answer of a beam search.
struct BeamResult {
  std::vector<GeneratedToken> tokens;  // End token included.
  std::vector<std::size_t> rows;  // Per token: which of the sequence's decoder rows, from the first step's, gave it.
  FinishReason finish_reason = FinishReason::kLength;
  float score = 0;
};

// Per MoE layer of the stack, per token: the expert that served it, -1 where capacity dropped it. Of a beam search the
// decoder's rows of all beams, step by step: BeamResult::rows tells whose.
using ExpertIds = std::vector<std::vector<std::int32_t>>;

// As ExpertIds: what scaled that expert's answer.
using ExpertWeights = std::vector<std::vector<float>>;

struct RoutingReport {
  RoutingMode mode = RoutingMode::kExact;
  std::uint64_t routed = 0;     // (token, layer) pairs in all.
  std::uint64_t predicted = 0;  // Of these, pairs with a hash-table entry in time.
  std::uint64_t compared = 0;   // Of these, pairs that the gate was asked about too.
  std::uint64_t agreed = 0;     // Of these, entries whose best expert the gate confirmed.
  std::uint64_t by_table = 0;   // Pairs for which the hash table chose the expert.
  std::uint64_t late = 0;       // Pairs whose entry a predictor was asked for, and which was not there in time.
  ExpertIds encoder_experts;    // Filled when the job asked for it, as what follows. The best of several.
  ExpertIds decoder_experts;
  ExpertWeights encoder_weights;
  ExpertWeights decoder_weights;
  std::map<std::string, std::uint64_t> rows_by_worker;
  std::map<std::string, std::set<ExpertKey>> experts_by_worker;  // Filled when the job asked for it.
  std::vector<GateRecord> encoder_gates;                         // Per MoE layer; filled when the job asked for it.
  std::vector<GateRecord> decoder_gates;
};

struct JobResult {
  std::vector<GeneratedToken> tokens;  // Of a GenerateJob, end token included where it was generated.
  FinishReason finish_reason = FinishReason::kLength;
  std::vector<BeamResult> beams;       // Of a beam search, the best first; `tokens` is empty then.
  std::vector<float> target_logprobs;  // Of a ScoreJob, one per target token.
  std::vector<float> logits;           // Of a ClassifyJob, one per label.
  RoutingReport routing;
};

// One sequence's work. The callback is called exactly once, on the router's thread, and must not block: it posts
// onward.
struct Job {
  RequestId request;
  std::uint64_t client = 0;  // Whose it is: clients share what there is.
  std::variant<GenerateJob, ScoreJob, ClassifyJob> work;
  bool return_experts = false;
  std::optional<RoutingMode> routing;  // Nothing: the router's default.
  bool return_gates = false;
  TimePoint deadline = TimePoint::max();
  proto::TraceContext trace;
  // Called once per token as it is sampled, before `done`; may be empty. Same thread and rules.
  std::function<void(const GeneratedToken&)> on_token;
  std::function<void(Result<JobResult>)> done;
};

// One line of `GET /status` and `sida status`.
struct ProcessStatus {
  std::string name;  // "worker-0"
  std::string role;  // "router", "predictor", "expert-worker"
  std::uint32_t pid = 0;
  std::string address;
  std::string state;   // "ready", "connecting", "lost", "refused", "draining", "failed"
  std::string detail;  // Why, when not ready.
};

struct WorkerStatus {
  std::string name;
  std::uint64_t experts_resident = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t memory_budget_bytes = 0;
  std::uint64_t rows_served = 0;
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::string kernel;
  std::string channel;                                     // What carries its rows; empty: not connected yet.
  std::uint64_t bytes_waited = 0;                          // Of experts that were not resident when rows for them came.
  std::uint64_t prefetches = 0;                            // Experts read because of the hash table. Of these,
  std::uint64_t prefetches_useful = 0;                     // resident when first demanded;
  std::uint64_t prefetches_late = 0;                       // still on their way then;
  std::uint64_t prefetches_wasted = 0;                     // evicted before anybody wanted them;
  std::uint64_t prefetches_cancelled = 0;                  // not read to the end.
  bool prefetching = true;                                 // False: it does not pay, or is switched off.
  std::uint64_t bytes_read = 0;                            // Of experts, for whatever reason.
  std::uint64_t expert_slots = 0;                          // Experts that fit at once.
  std::uint64_t expert_bytes = 0;                          // Of one.
  proto::LinkFaults faults;                                // What its sockets refused.
  std::shared_ptr<const std::vector<ExpertKey>> resident;  // In ascending order; nullptr: not told yet.
};

struct PredictorStatus {
  std::string name;
  std::string kind;  // Of its hash function: "learned".
  proto::PredictorReport report;
};

// The hash table in one MoE layer, in tokens since start: see RoutingReport.
struct LayerAgreement {
  std::int32_t layer = 0;
  std::uint64_t routed = 0;
  std::uint64_t predicted = 0;
  std::uint64_t compared = 0;
  std::uint64_t agreed = 0;
  std::uint64_t by_table = 0;
  std::uint64_t late = 0;
  LeadTimes lead;  // From a sequence's last entry coming in to the layer needing it; without those that were late.

  LayerAgreement& operator+=(const LayerAgreement& more) {
    routed += more.routed;
    predicted += more.predicted;
    compared += more.compared;
    agreed += more.agreed;
    by_table += more.by_table;
    late += more.late;
    return *this;
  }
};

struct ModelShape {
  std::int32_t encoder_moe_layers = 0;  // They come first.
  std::int32_t moe_layers = 0;
  std::int32_t experts_per_layer = 0;
};

struct RouterStatus {
  std::chrono::milliseconds uptime{0};     // Of the router agent.
  TimePoint published = TimePoint::max();  // When the agent said this; max: it has not begun.
  ModelShape model;
  bool ready = false;          // A request sent now would be served.
  std::string reason;          // Why not.
  double loaded_fraction = 0;  // 0 to 1, of start-up.
  std::vector<ProcessStatus> processes;
  std::vector<WorkerStatus> workers;
  std::vector<PredictorStatus> predictors;  // Those that have reported.
  std::vector<LayerAgreement> agreement;
  LookupsByLayer lookups;
  std::shared_ptr<const ExpertRows> expert_rows;  // nullptr: nothing was served yet.
  ServingTimes times;
  double desired_workers = 0;  // That what is queued would keep busy; fractional.
  std::uint64_t requests_running = 0;
  std::uint64_t requests_waiting = 0;
  std::uint64_t requests_finished = 0;
  std::uint64_t requests_failed = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t generation_tokens = 0;
  std::uint64_t steps = 0;
  std::uint64_t encoder_steps = 0;    // Of these, steps that encoded sources.
  std::uint64_t encoder_sources = 0;  // The sources in them.
  std::uint64_t encoder_experts = 0;  // Experts that served such a step, each once per step and MoE layer.
  std::uint64_t dispatches = 0;
  std::uint64_t dispatched_rows = 0;
  std::uint64_t resends_lost = 0;
  std::uint64_t resends_late = 0;
  std::uint64_t resends_failed = 0;
  std::uint64_t late_results = 0;
  std::uint64_t malformed_messages = 0;
};

// What the HTTP side sees of the router agent. Thread-safe; nothing blocks.
class Engine {
 public:
  virtual ~Engine() = default;
  // kOverloaded when the mailbox is full (done is then not called), kUnavailable while shutting down.
  virtual Result<void> submit(Job job) = 0;
  // The client went away: `done` is called with kCancelled unless it was called already.
  virtual void cancel(RequestId request) = 0;
  // A snapshot at most a few hundred milliseconds old.
  [[nodiscard]] virtual RouterStatus status() const = 0;
  // Of a supervisor: the process cannot be started, or ends again and again. Shown in status() until it answers.
  // kNotFound for a name that is in no status.
  virtual Result<void> process_failed(const std::string& name, std::string why) = 0;
  // Asks the expert-worker to finish what it has and to take nothing new, until it is taken back or started anew.
  // Returns at once; status() shows it as draining when it has agreed. kNotFound: no expert-worker of this name;
  // kUnavailable: it does not answer now.
  virtual Result<void> drain_worker(const std::string& name) = 0;
  // Asks a draining expert-worker to take rows again; one that does not drain stays as it is. Otherwise as
  // drain_worker().
  virtual Result<void> undrain_worker(const std::string& name) = 0;
};

}  // namespace sida::router

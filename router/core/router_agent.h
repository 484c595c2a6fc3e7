// The router agent: admits jobs, composes steps, talks to workers and predictors over their control links, and gives
// the trunk its work. It is the Engine that the HTTP side sees.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "common/model/model_directory.h"
#include "common/runtime/latest.h"
#include "common/runtime/mailbox.h"
#include "common/transport/transport.h"
#include "router/core/failure_notes.h"
#include "router/core/links.h"
#include "router/core/name_resolver.h"
#include "router/core/peer_directory.h"
#include "router/core/prediction_tracker.h"
#include "router/core/request.h"
#include "router/routing/routing_options.h"
#include "router/scheduling/scheduler_core.h"
#include "router/scheduling/worker_demand.h"
#include "router/trunk/step.h"

namespace sida::router {

struct RouterOptions {
  std::vector<NamedEndpoint> workers;
  std::vector<NamedEndpoint> predictors;
  std::chrono::milliseconds resolve_every{5000};  // Host names among them.
  SchedulerLimits limits;
  RoutingOptions routing;
  std::size_t mailbox_jobs_max = 1024;  // Jobs between HTTP and this agent; beyond: kOverloaded.
};

class RouterAgent : public Engine {
 public:
  // `to_trunk` hands a command to the trunk; called on the agent's thread, must not block. `model` and `transport`
  // outlive the agent.
  static Result<std::unique_ptr<RouterAgent>> make(const model::ModelDirectory& model, transport::Transport& transport,
                                                   const proto::Hello& hello, const RouterOptions& options,
                                                   std::function<void(TrunkCommand)> to_trunk);

  // Any thread.
  Result<void> submit(Job job) override;
  void cancel(RequestId request) override;
  [[nodiscard]] RouterStatus status() const override;
  Result<void> process_failed(const std::string& name, std::string why) override;
  Result<void> drain_worker(const std::string& name) override;
  Result<void> undrain_worker(const std::string& name) override;
  void step_done(StepDone done);
  void channels_changed(WorkerChannels kinds);
  void stop();  // Running jobs end with kUnavailable; run() returns.

  // The calling thread becomes the agent's.
  void run();

 private:
  struct WorkerOrder {
    std::string name;  // Of an expert-worker.
    bool drain = true;
  };
  struct Running {
    Job job;
    JobResult result;
    std::size_t source_tokens = 0;
    std::size_t decoded_tokens = 0;  // Decoder rows computed so far.
    bool encoded = false;
    bool beams = false;          // A beam search: nobody predicts its decoder tokens.
    bool decoder_asked = false;  // A predictor was asked about the next decoder tokens.
    TimePoint admitted;
    TimePoint last_token;   // Of `result`.
    TimePoint table_taken;  // When the step under way was given the sequence's entries.

    [[nodiscard]] bool by_table() const { return result.routing.mode != RoutingMode::kExact; }
    // Decoder rows of its next step.
    [[nodiscard]] std::size_t next_rows() const;
  };

  // The peers of one role: where they are, and how links to them are made.
  struct Peers {
    PeerDirectory directory;
    PeerConnector connector;
  };
  struct Links {
    WorkerLinks workers;
    PredictorLinks predictors;
    Peers worker_peers;
    Peers predictor_peers;
  };
  RouterAgent(const model::ModelDirectory& model, Links links, const RouterOptions& options,
              std::function<void(TrunkCommand)> to_trunk);

  Result<void> order(const std::string& worker, bool drain);
  bool take_events(TimePoint now);
  bool poll_links(TimePoint now);
  void follow_names();
  [[nodiscard]] std::vector<std::string> host_names() const;  // Of both roles, each once.
  bool take_entries(TimePoint now);
  void admit(Job job, TimePoint now);
  void start_steps(TimePoint now);
  void start(StepPlan plan, TimePoint now);
  void add_table(TrunkStep& step, SequenceId id, TableStack stack, TimePoint now);
  [[nodiscard]] NewSequence new_sequence(SequenceId id) const;
  void finish_step(const StepDone& done, TimePoint now);
  bool take_outcome(const SequenceOutcome& outcome, TimePoint now);
  void count_encoded(const StepDone& done);
  void take_token(Running& running, const GeneratedToken& token, TimePoint now);
  void count_beams(const Running& running, const std::vector<BeamResult>& beams, TimePoint now);
  void take_routing(Running& running, const SequenceOutcome& outcome);
  void report_workers(RoutingReport& report, const LayerRouting& layer, bool return_experts) const;
  // True when a predictor was asked for the entries of the sequence's next decoder rows.
  bool predict_decoder(SequenceId id, const Running& running, const SequenceOutcome& outcome);
  void advise(SequenceId id, const Running& running, std::span<const proto::HashTableEntries> entries, std::size_t k);
  void await_table(SequenceId id, TimePoint now);
  void release_if_complete(SequenceId id);
  void end(SequenceId id, Result<JobResult> result);
  bool end_overdue(TimePoint now);
  void publish(TimePoint now);
  double desired_workers(const std::vector<WorkerStatus>& workers, TimePoint now);
  void add_processes(RouterStatus& status) const;
  [[nodiscard]] bool has_work() const { return !running_.empty(); }

  const model::ModelDirectory& model_;
  WorkerLinks workers_;
  PredictorLinks predictors_;
  Peers worker_peers_;
  Peers predictor_peers_;
  NameResolver resolver_;
  SchedulerCore scheduler_;
  WorkerDemand demand_;
  PredictionTracker tracker_;
  ExpertRows expert_rows_;
  bool expert_rows_changed_ = false;  // Since the last status.
  const RoutingOptions routing_;
  const TimePoint started_ = steady_now();
  std::function<void(TrunkCommand)> to_trunk_;

  Mailbox<Job> jobs_;  // Closed: the agent stops.
  Mailbox<RequestId> cancels_;
  Mailbox<WorkerOrder> orders_;
  WakeEvent stop_;
  Mailbox<StepDone> steps_done_;
  Latest<WorkerChannels> channels_;
  std::map<SequenceId, Running> running_;
  std::vector<SequenceId> release_;  // For the trunk to forget with the next step.
  std::uint64_t next_sequence_ = 1;
  bool releasing_ = false;  // A step that only releases is in flight.
  bool was_ready_ = false;
  TimePoint next_publish_{};
  TimePoint last_publish_{};

  RouterStatus counters_;  // Its counter fields.
  mutable std::mutex status_mutex_;
  RouterStatus status_;         // Guarded by status_mutex_.
  FailureNotes failure_notes_;  // Guarded by status_mutex_.
};

}  // namespace sida::router

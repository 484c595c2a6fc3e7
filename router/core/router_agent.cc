#include "router/core/router_agent.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "common/runtime/waiter.h"
#include "router/core/job_inputs.h"

namespace sida::router {
namespace {

constexpr std::size_t kStepsDoneMax = 16;
constexpr std::size_t kOrdersMax = 64;  // Asked for and not passed on yet.
constexpr std::chrono::milliseconds kPublishInterval{100};
constexpr std::chrono::milliseconds kPublishSoon{5};  // After a job ended: who asks then wants to see it.

std::size_t target_tokens(const Job& job) {
  const auto* score = std::get_if<ScoreJob>(&job.work);
  return score == nullptr ? 0 : score->target_ids.size();
}

const BeamParams* beam_search_of(const Job& job) {
  const auto* generate = std::get_if<GenerateJob>(&job.work);
  return generate == nullptr || !generate->sampling.beam_search ? nullptr : &*generate->sampling.beam_search;
}

Arrival arrival_of(SequenceId id, const Job& job) {
  const auto* generate = std::get_if<GenerateJob>(&job.work);
  const BeamParams* beams = beam_search_of(job);
  return {.sequence = id,
          .source_tokens = static_cast<std::int64_t>(source_of(job).size()),
          .target_tokens = static_cast<std::int64_t>(target_tokens(job)),
          .deadline = job.deadline,
          .new_tokens = generate == nullptr ? 0 : std::max(0, generate->sampling.max_new_tokens),
          .beams = beams == nullptr ? 1 : beams->beams,
          .client = job.client};
}

}  // namespace

RouterAgent::RouterAgent(const model::ModelDirectory& model, Links links, const RouterOptions& options,
                         std::function<void(TrunkCommand)> to_trunk)
    : model_(model),
      workers_(std::move(links.workers)),
      predictors_(std::move(links.predictors)),
      worker_peers_(std::move(links.worker_peers)),
      predictor_peers_(std::move(links.predictor_peers)),
      resolver_(host_names(), options.resolve_every),
      scheduler_(options.limits),
      demand_({.encoder = model.geometry().encoder_moe_layers, .decoder = model.geometry().decoder_moe_layers}),
      tracker_(model.geometry().encoder_moe_layers, model.geometry().moe_layers(),
               static_cast<std::int32_t>(model.config().num_experts)),
      expert_rows_(model.geometry().moe_layers(), static_cast<std::int32_t>(model.config().num_experts)),
      routing_(options.routing),
      to_trunk_(std::move(to_trunk)),
      jobs_(options.mailbox_jobs_max),
      cancels_(options.mailbox_jobs_max + options.limits.waiting_max + options.limits.running_max),
      orders_(kOrdersMax),
      steps_done_(kStepsDoneMax) {
  status_.reason = "starting";
}

void RouterAgent::run() {
  while (!jobs_.closed()) {
    const TimePoint now = steady_now();
    bool active = take_events(now);
    while (auto done = steps_done_.take()) {
      finish_step(*done, now);
      active = true;
    }
    active |= poll_links(now);
    active |= end_overdue(now);
    start_steps(now);
    publish(now);
    if (active) continue;
    std::vector<int> descriptors{jobs_.wake_descriptor(),   cancels_.wake_descriptor(),
                                 orders_.wake_descriptor(), steps_done_.wake_descriptor(),
                                 stop_.descriptor(),        resolver_.wake_descriptor()};
    for (const auto& link : workers_.links()) descriptors.push_back(link->wake_descriptor());
    for (const auto& link : predictors_.links()) descriptors.push_back(link->wake_descriptor());
    wait_readable(descriptors, std::min(next_publish_, scheduler_.next_deadline(now)));
  }
  while (auto job = jobs_.take()) job->done(tl::unexpected(stopping_error()));
  while (!running_.empty()) end(running_.begin()->first, tl::unexpected(stopping_error()));
  to_trunk_(TrunkStop{});
}

bool RouterAgent::take_events(TimePoint now) {
  // Whoever cancels has submitted before: of the cancellations taken here, every job is in the mailbox or admitted.
  std::vector<RequestId> cancelled;
  while (const auto request = cancels_.take()) cancelled.push_back(*request);
  bool any = !cancelled.empty();
  while (const auto order = orders_.take()) {
    order->drain ? workers_.drain(order->name) : workers_.undrain(order->name);
  }
  while (auto job = jobs_.take()) {
    any = true;
    admit(std::move(*job), now);
  }
  for (const auto& [id, running] : running_) {
    if (std::find(cancelled.begin(), cancelled.end(), running.job.request) != cancelled.end()) scheduler_.cancel(id);
  }
  return any;
}

void RouterAgent::admit(Job job, TimePoint now) {
  const SequenceId id{next_sequence_++};
  const std::size_t source_tokens = source_of(job).size();
  auto admitted = scheduler_.submit(arrival_of(id, job), now);
  if (!admitted) {
    ++counters_.requests_failed;
    job.done(tl::unexpected(std::move(admitted).error()));
    return;
  }
  const bool asked = predictors_.predict(id, source_of(job));
  tracker_.expect(id, source_tokens, asked, now);
  counters_.prompt_tokens += source_tokens;
  Running running{.job = std::move(job), .result = {}, .source_tokens = source_tokens, .admitted = now};
  running.result.routing.mode = running.job.routing.value_or(routing_.mode);
  running.beams = beam_search_of(running.job) != nullptr;
  const bool by_table = running.by_table();
  running_.emplace(id, std::move(running));
  if (by_table && asked) await_table(id, now);
}

bool RouterAgent::poll_links(TimePoint now) {
  follow_names();
  bool active = workers_.poll(now);
  if (workers_.take_changed()) {
    to_trunk_(TrunkMembers{workers_.live()});
    next_publish_ = now;
  }
  return take_entries(now) || active;
}

void RouterAgent::start_steps(TimePoint now) {
  while (auto plan = scheduler_.next_step(now)) start(*std::move(plan), now);
  if (release_.empty() || releasing_ || scheduler_.steps_in_flight() > 0) return;
  releasing_ = true;
  to_trunk_(TrunkStep{.release = std::exchange(release_, {})});
}

void RouterAgent::start(StepPlan plan, TimePoint now) {
  TrunkStep step{.id = plan.step, .release = std::exchange(release_, {})};
  step.decode = std::move(plan.decode);
  for (const SequenceId id : plan.encode) step.encode.push_back(new_sequence(id));
  for (const SequenceId id : plan.encode) counters_.times.queued.add(now - running_.at(id).admitted);
  for (const SequenceId id : plan.encode) add_table(step, id, TableStack::kEncoder, now);
  for (const SequenceId id : step.decode) add_table(step, id, TableStack::kDecoder, now);
  // The batch waits as long as its most patient sequence; the others are answered in time by end_overdue().
  step.deadline = now;
  for (const SequenceId id : step.decode) step.deadline = std::max(step.deadline, running_.at(id).job.deadline);
  for (const SequenceId id : plan.encode) step.deadline = std::max(step.deadline, running_.at(id).job.deadline);
  ++counters_.steps;
  to_trunk_(std::move(step));
}

NewSequence RouterAgent::new_sequence(SequenceId id) const {
  const Running& running = running_.at(id);
  const Job& job = running.job;
  NewSequence sequence{.id = id,
                       .source = source_of(job),
                       .sampling = {},
                       .target = {},
                       .head = {},
                       .routing = running.result.routing.mode,
                       .record_gates = job.return_gates};
  if (const auto* generate = std::get_if<GenerateJob>(&job.work)) sequence.sampling = generate->sampling;
  if (const auto* score = std::get_if<ScoreJob>(&job.work)) sequence.target = score->target_ids;
  if (const auto* classify = std::get_if<ClassifyJob>(&job.work)) sequence.head = classify->head;
  return sequence;
}

void RouterAgent::finish_step(const StepDone& done, TimePoint now) {
  counters_.dispatches = done.dispatch.parts_sent;
  counters_.dispatched_rows = done.dispatch.rows_sent;
  counters_.resends_lost = done.dispatch.resends_lost;
  counters_.resends_late = done.dispatch.resends_late;
  counters_.resends_failed = done.dispatch.resends_failed;
  counters_.late_results = done.dispatch.late_results;
  counters_.malformed_messages = done.malformed_messages;
  counters_.lookups = done.dispatch.lookups;
  if (done.id == StepId{}) {
    releasing_ = false;
    return;
  }
  count_encoded(done);
  std::vector<SequenceId> finished;
  for (const SequenceOutcome& outcome : done.outcomes) {
    if (take_outcome(outcome, now)) finished.push_back(outcome.id);
  }
  scheduler_.step_done(done.id, finished, now);
}

bool RouterAgent::take_outcome(const SequenceOutcome& outcome, TimePoint now) {
  const auto found = running_.find(outcome.id);
  if (found == running_.end()) return outcome.finished;  // Answered already; the scheduler ends it.
  Running& running = found->second;
  take_routing(running, outcome);
  if (outcome.error) {
    end(outcome.id, tl::unexpected(*outcome.error));
    return true;
  }
  if (outcome.token) take_token(running, *outcome.token, now);
  if (outcome.finished) {
    if (running.beams) count_beams(running, outcome.beams, now);
    running.result.beams = outcome.beams;
    running.result.finish_reason = outcome.finish_reason;
    running.result.target_logprobs = outcome.target_logprobs;
    running.result.logits = outcome.logits;
    counters_.times.total.add(now - running.admitted);
    JobResult result = std::move(running.result);
    end(outcome.id, std::move(result));
    return true;
  }
  running.encoded = true;
  running.decoder_asked = predict_decoder(outcome.id, running, outcome);
  if (running.decoder_asked && running.by_table()) await_table(outcome.id, now);
  return false;
}

void RouterAgent::take_token(Running& running, const GeneratedToken& token, TimePoint now) {
  if (running.result.tokens.empty()) {
    counters_.times.first_token.add(now - running.admitted);
  } else {
    counters_.times.between_tokens.add(now - running.last_token);
  }
  running.last_token = now;
  running.result.tokens.push_back(token);
  ++counters_.generation_tokens;
  if (running.job.on_token) running.job.on_token(token);
}

// A beam search has no token before its end.
void RouterAgent::count_beams(const Running& running, const std::vector<BeamResult>& beams, TimePoint now) {
  counters_.times.first_token.add(now - running.admitted);
  for (const BeamResult& beam : beams) counters_.generation_tokens += beam.tokens.size();
}

void RouterAgent::end(SequenceId id, Result<JobResult> result) {
  const auto found = running_.find(id);
  if (found == running_.end()) return;
  ++(result ? counters_.requests_finished : counters_.requests_failed);
  if (result && !result->tokens.empty()) demand_.ended(result->tokens.size());
  const auto done = std::move(found->second.job.done);
  running_.erase(found);
  tracker_.forget(id);
  predictors_.forget(id);
  workers_.forget(id);
  next_publish_ = std::min(next_publish_, last_publish_ + kPublishSoon);
  done(std::move(result));
}

bool RouterAgent::end_overdue(TimePoint now) {
  const auto ended_sequences = scheduler_.ended(now);
  for (const EndedSequence& ended : ended_sequences) {
    release_.push_back(ended.sequence);
    end(ended.sequence, fail(ended.code, ended.code == ErrorCode::kCancelled
                                             ? "the client cancelled the request"
                                             : "the request's deadline passed; give it more time or ask for less"));
  }
  if (now < next_publish_) return !ended_sequences.empty();
  // Sequences inside a step are answered now; the scheduler lets them go at the step's end.
  std::vector<SequenceId> overdue;
  for (const auto& [id, running] : running_) {
    if (running.job.deadline <= now) overdue.push_back(id);
  }
  for (const SequenceId id : overdue) {
    scheduler_.cancel(id);
    end(id, fail(ErrorCode::kDeadlineExceeded, "the request's deadline passed; give it more time or ask for less"));
  }
  return !ended_sequences.empty() || !overdue.empty();
}

void RouterAgent::publish(TimePoint now) {
  if (now < next_publish_) return;
  last_publish_ = now;
  next_publish_ = now + kPublishInterval;
  if (std::exchange(expert_rows_changed_, false)) {
    counters_.expert_rows = std::make_shared<const ExpertRows>(expert_rows_);
  }
  RouterStatus status = counters_;
  status.published = now;
  status.uptime = std::chrono::duration_cast<std::chrono::milliseconds>(now - started_);
  status.model = {.encoder_moe_layers = model_.geometry().encoder_moe_layers,
                  .moe_layers = model_.geometry().moe_layers(),
                  .experts_per_layer = static_cast<std::int32_t>(model_.config().num_experts)};
  add_processes(status);
  status.ready = workers_.covers(model_.geometry().moe_layers());
  if (status.ready) {
    status.loaded_fraction = 1;
  } else {
    status.reason = "no expert-worker that covers every layer is ready";
  }
  if (auto kinds = channels_.take()) workers_.set_channels(std::move(*kinds));
  status.workers = workers_.status();
  status.desired_workers = desired_workers(status.workers, now);
  status.predictors = predictors_.status();
  status.agreement = tracker_.layers();
  status.requests_waiting = scheduler_.waiting();
  status.requests_running = scheduler_.running();
  std::lock_guard lock(status_mutex_);
  failure_notes_.apply(status.processes);
  was_ready_ |= status.ready;
  status_ = std::move(status);
}

}  // namespace sida::router

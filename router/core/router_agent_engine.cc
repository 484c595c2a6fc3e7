// What other threads ask of the router agent: checked here, and posted to its mailboxes.
#include <algorithm>
#include <string>
#include <utility>

#include "router/core/job_inputs.h"
#include "router/core/router_agent.h"

namespace sida::router {
namespace {

Result<void> check_tokens(const std::vector<std::int32_t>& tokens, std::int64_t vocab_size, const char* what) {
  if (tokens.empty())
    return fail(ErrorCode::kInvalidArgument, std::string(what) + " is empty; give at least one token id");
  for (const std::int32_t token : tokens) {
    if (token < 0 || token >= vocab_size) {
      return fail(ErrorCode::kInvalidArgument, std::string(what) + ": token id " + std::to_string(token) +
                                                   " is outside the vocabulary of " + std::to_string(vocab_size));
    }
  }
  return {};
}

Result<void> may_order(const std::vector<ProcessStatus>& processes, const std::string& name) {
  const auto found = std::ranges::find_if(processes, [&name](const ProcessStatus& process) {
    return process.name == name && process.role == "expert-worker";
  });
  if (found == processes.end()) return fail(ErrorCode::kNotFound, "no expert-worker of this name");
  if (found->state != "ready" && found->state != "draining") {
    return fail(ErrorCode::kUnavailable, "the expert-worker is " + found->state + " and cannot be asked");
  }
  return {};
}

}  // namespace

Result<void> RouterAgent::submit(Job job) {
  const std::int64_t vocab = model_.config().vocab_size;
  SIDA_TRY(check_tokens(source_of(job), vocab, "input_ids"));
  if (const auto* score = std::get_if<ScoreJob>(&job.work))
    SIDA_TRY(check_tokens(score->target_ids, vocab, "target_ids"));
  {
    std::lock_guard lock(status_mutex_);
    // Once it was ready, a request waits for a worker that comes back; before that nobody knows how long.
    if (!status_.ready && !was_ready_) return fail(ErrorCode::kUnavailable, status_.reason);
  }
  if (!jobs_.post(std::move(job))) {
    if (jobs_.closed()) return tl::unexpected(stopping_error());
    return fail(ErrorCode::kOverloaded, "the router's mailbox is full; send the request again later");
  }
  return {};
}

void RouterAgent::cancel(RequestId request) {
  // Its own queue: cancelling is what helps when the jobs' is full. A lost one costs work, and the client has left.
  [[maybe_unused]] const bool posted = cancels_.post(request);
}

RouterStatus RouterAgent::status() const {
  std::lock_guard lock(status_mutex_);
  return status_;
}

Result<void> RouterAgent::process_failed(const std::string& name, std::string why) {
  std::lock_guard lock(status_mutex_);
  return failure_notes_.note(name, std::move(why), status_.processes);
}

Result<void> RouterAgent::drain_worker(const std::string& name) {
  return order(name, true);
}

Result<void> RouterAgent::undrain_worker(const std::string& name) {
  return order(name, false);
}

Result<void> RouterAgent::order(const std::string& worker, bool drain) {
  {
    std::lock_guard lock(status_mutex_);
    SIDA_TRY(may_order(status_.processes, worker));
  }
  if (!orders_.post({worker, drain})) {
    return fail(ErrorCode::kOverloaded, "too many workers are asked to drain or to come back at once");
  }
  return {};
}

void RouterAgent::step_done(StepDone done) {
  SIDA_CHECK(steps_done_.post(std::move(done)));
}

void RouterAgent::channels_changed(WorkerChannels kinds) {
  channels_.set(std::move(kinds));
}

void RouterAgent::stop() {
  jobs_.close();
  stop_.signal();
}

}  // namespace sida::router

#include "router/http/job_runner.h"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <optional>

namespace sida::router {
namespace {

namespace net = boost::asio;

struct JobState {
  RequestId request;
  std::vector<GeneratedToken> tokens;  // Collected only for `enough`.
  bool ended_early = false;
  bool submitted = false;
  std::optional<Result<JobResult>> result;
};

// Shared by the waiting coroutine and the engine's callbacks; touched on the HTTP thread only.
class Run {
 public:
  Run(Engine& engine, net::any_io_executor executor, Enough enough, std::size_t jobs)
      : engine_(engine), executor_(executor), wake_(std::move(executor)), enough_(std::move(enough)), jobs_(jobs) {}

  static void submit_all(const std::shared_ptr<Run>& run, std::vector<Job> jobs) {
    for (std::size_t index = 0; index < jobs.size(); ++index) {
      JobState& state = run->jobs_[index];
      state.request = jobs[index].request;
      add_callbacks(run, index, jobs[index]);
      auto submitted = run->engine_.submit(std::move(jobs[index]));
      state.submitted = submitted.has_value();
      if (!submitted) {
        run->error_ = std::move(submitted).error();
        run->cancel_all();
        return;
      }
      ++run->left_;
    }
  }

  void cancel_all() {
    for (const JobState& state : jobs_) {
      if (state.submitted && !state.result) {
        engine_.cancel(state.request);
      }
    }
  }

  [[nodiscard]] bool done() const { return left_ == 0; }
  net::steady_timer& wake() { return wake_; }

  ApiResult<std::vector<JobResult>> take_results() {
    if (error_) {
      return tl::unexpected<ApiError>(api_error(*error_));
    }
    std::vector<JobResult> results;
    for (JobState& state : jobs_) {
      results.push_back(std::move(**state.result));
    }
    return results;
  }

 private:
  // The engine's callbacks only post: what they do happens on the HTTP thread.
  static void add_callbacks(const std::shared_ptr<Run>& run, std::size_t index, Job& job) {
    job.done = [run, index](Result<JobResult> result) {
      net::post(run->executor_, [run, index, result = std::move(result)]() mutable {
        run->job_ended(run->jobs_[index], std::move(result));
      });
    };
    if (run->enough_) {
      job.on_token = [run, index](const GeneratedToken& token) {
        net::post(run->executor_, [run, index, token] { run->token_came(run->jobs_[index], token); });
      };
    }
  }

  void token_came(JobState& state, const GeneratedToken& token) {
    state.tokens.push_back(token);
    if (!state.result && !state.ended_early && enough_(state.tokens)) {
      state.ended_early = true;
      engine_.cancel(state.request);
    }
  }

  void job_ended(JobState& state, Result<JobResult> result) {
    if (!result && result.error().code == ErrorCode::kCancelled && state.ended_early) {
      result = JobResult{};
      result->tokens = std::move(state.tokens);
      result->finish_reason = FinishReason::kStop;
    }
    if (!result && !error_) {
      error_ = result.error();
      state.result = std::move(result);
      cancel_all();
    } else {
      state.result = std::move(result);
    }
    if (--left_ == 0) {
      wake_.cancel();
    }
  }

  Engine& engine_;
  net::any_io_executor executor_;
  net::steady_timer wake_;
  Enough enough_;
  std::vector<JobState> jobs_;
  std::size_t left_ = 0;  // Submitted and not ended.
  std::optional<Error> error_;
};

}  // namespace

net::awaitable<ApiResult<std::vector<JobResult>>> run_jobs(Engine& engine, std::vector<Job> jobs, Enough enough,
                                                           ClientWatch& client) {
  const auto run = std::make_shared<Run>(engine, co_await net::this_coro::executor, std::move(enough), jobs.size());
  Run::submit_all(run, std::move(jobs));
  client.on_gone([run] { run->cancel_all(); });
  while (!run->done()) {
    boost::system::error_code woken;
    run->wake().expires_at(net::steady_timer::time_point::max());
    co_await run->wake().async_wait(net::redirect_error(net::use_awaitable, woken));
  }
  client.on_gone(nullptr);
  co_return run->take_results();
}

}  // namespace sida::router

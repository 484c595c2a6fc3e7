#include "router/http/job_runner.h"

#include <boost/asio/this_coro.hpp>
#include <optional>

#include "router/http/job_stream.h"

namespace sida::router {
namespace {

namespace net = boost::asio;

// Collects what happens to the jobs of one request.
class Collector {
 public:
  Collector(JobStream& stream, const Enough& enough, std::size_t jobs)
      : stream_(stream), enough_(enough), tokens_(jobs), ended_early_(jobs, false), results_(jobs) {}

  void take(TokenCame came) {
    if (!ended_early_[came.job] && enough_(came.job, came.token)) {
      ended_early_[came.job] = true;
      stream_.cancel(came.job);
    }
    tokens_[came.job].push_back(std::move(came.token));
  }

  void take(JobEnded ended) {
    if (ended.result) {
      results_[ended.job] = *std::move(ended.result);
    } else if (ended.result.error().code == ErrorCode::kCancelled && ended_early_[ended.job]) {
      results_[ended.job].tokens = std::move(tokens_[ended.job]);
      results_[ended.job].finish_reason = FinishReason::kStop;
    } else if (!error_) {
      error_ = ended.result.error();
      stream_.cancel_all();
    }
  }

  ApiResult<std::vector<JobResult>> finish() {
    if (error_) {
      return tl::unexpected<ApiError>(api_error(*error_));
    }
    return std::move(results_);
  }

 private:
  JobStream& stream_;
  const Enough& enough_;
  std::vector<std::vector<GeneratedToken>> tokens_;  // Collected only for `enough`.
  std::vector<bool> ended_early_;
  std::vector<JobResult> results_;
  std::optional<Error> error_;
};

}  // namespace

net::awaitable<ApiResult<std::vector<JobResult>>> run_jobs(Engine& engine, std::vector<Job> jobs, Enough enough,
                                                           ClientWatch& client) {
  const std::size_t count = jobs.size();
  const auto executor = co_await net::this_coro::executor;
  auto started = JobStream::start(engine, executor, std::move(jobs), /*want_tokens=*/static_cast<bool>(enough));
  if (!started) {
    co_return tl::unexpected<ApiError>(api_error(started.error()));
  }
  const std::shared_ptr<JobStream> stream = *started;
  client.on_gone([stream] { stream->cancel_all(); });
  Collector collector(*stream, enough, count);
  while (stream->running() > 0) {
    JobEvent event = co_await stream->next();
    std::visit([&collector](auto& happened) { collector.take(std::move(happened)); }, event);
  }
  client.on_gone(nullptr);
  co_return collector.finish();
}

}  // namespace sida::router

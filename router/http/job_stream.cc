#include "router/http/job_stream.h"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace sida::router {

namespace net = boost::asio;

Result<std::shared_ptr<JobStream>> JobStream::start(Engine& engine, const net::any_io_executor& executor,
                                                    std::vector<Job> jobs, bool want_tokens) {
  auto stream = std::make_shared<JobStream>(engine, executor);
  for (std::size_t index = 0; index < jobs.size(); ++index) {
    add_callbacks(stream, index, jobs[index], want_tokens);
    stream->jobs_.push_back({jobs[index].request});
    if (auto submitted = engine.submit(std::move(jobs[index])); !submitted) {
      stream->jobs_.back().ended = true;
      stream->cancel_all();
      return tl::unexpected<Error>(std::move(submitted).error());
    }
    ++stream->running_;
  }
  return stream;
}

void JobStream::add_callbacks(const std::shared_ptr<JobStream>& stream, std::size_t index, Job& job, bool want_tokens) {
  job.done = [stream, index](Result<JobResult> result) {
    net::post(stream->wake_.get_executor(), [stream, index, result = std::move(result)]() mutable {
      stream->push(JobEnded{index, std::move(result)});
    });
  };
  if (want_tokens) {
    job.on_token = [stream, index](const GeneratedToken& token) {
      net::post(stream->wake_.get_executor(), [stream, index, token] { stream->push(TokenCame{index, token}); });
    };
  }
}

void JobStream::push(JobEvent event) {
  if (const auto* ended = std::get_if<JobEnded>(&event)) {
    jobs_[ended->job].ended = true;
  }
  events_.push_back(std::move(event));
  wake_.cancel();
}

net::awaitable<void> JobStream::wait() {
  while (events_.empty()) {
    boost::system::error_code woken;
    wake_.expires_at(net::steady_timer::time_point::max());
    co_await wake_.async_wait(net::redirect_error(net::use_awaitable, woken));
  }
}

net::awaitable<JobEvent> JobStream::next() {
  co_await wait();
  co_return take();
}

net::awaitable<std::optional<Error>> JobStream::refusal() {
  co_await wait();
  const auto* ended = std::get_if<JobEnded>(&events_.front());
  std::optional<Error> error;
  if (ended != nullptr && !ended->result) error = ended->result.error();
  co_return error;
}

// Apart from next(), since GCC 12 takes the destructor of an event in a coroutine's frame for a wrong delete.
JobEvent JobStream::take() {
  JobEvent event = std::move(events_.front());
  events_.pop_front();
  if (std::holds_alternative<JobEnded>(event)) {
    --running_;
  }
  return event;
}

void JobStream::cancel(std::size_t job) {
  if (!jobs_[job].ended) {
    engine_.cancel(jobs_[job].request);
  }
}

void JobStream::cancel_all() {
  for (std::size_t job = 0; job < jobs_.size(); ++job) {
    cancel(job);
  }
}

}  // namespace sida::router

// The jobs of one HTTP request on the engine, as a stream of what happens to them.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "router/core/request.h"
#include "router/http/awaitable.h"

namespace sida::router {

struct TokenCame {
  std::size_t job;  // Index.
  GeneratedToken token;
};
struct JobEnded {
  std::size_t job;
  Result<JobResult> result;
};
using JobEvent = std::variant<TokenCame, JobEnded>;

// Used on the HTTP thread; the engine's callbacks only post there. `engine` and the executor's context must outlive
// every callback of the engine.
class JobStream {
 public:
  // Submits all; needs request ids, sets the callbacks. When one is refused, the others are cancelled and the error is
  // returned.
  static Result<std::shared_ptr<JobStream>> start(Engine& engine, const boost::asio::any_io_executor& executor,
                                                  std::vector<Job> jobs, bool want_tokens);

  JobStream(Engine& engine, const boost::asio::any_io_executor& executor) : engine_(engine), wake_(executor) {}

  // Jobs that have not ended yet, as far as next() told.
  [[nodiscard]] std::size_t running() const { return running_; }
  // Waits for the next event. Only while running() > 0 and by one coroutine at a time.
  boost::asio::awaitable<JobEvent> next();
  // Waits until there is one, and leaves it. The error with which a job ended before anything else happened; else
  // nothing.
  boost::asio::awaitable<std::optional<Error>> refusal();

  void cancel(std::size_t job);
  void cancel_all();

 private:
  static void add_callbacks(const std::shared_ptr<JobStream>& stream, std::size_t index, Job& job, bool want_tokens);
  void push(JobEvent event);
  boost::asio::awaitable<void> wait();
  JobEvent take();

  struct State {
    RequestId request;
    bool ended = false;
  };

  Engine& engine_;
  boost::asio::steady_timer wake_;
  std::vector<State> jobs_;
  std::deque<JobEvent> events_;
  std::size_t running_ = 0;
};

}  // namespace sida::router

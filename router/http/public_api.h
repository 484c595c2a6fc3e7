// The endpoints of the public port: which path and method is what, and what each does.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "router/core/request.h"
#include "router/http/api_keys.h"
#include "router/http/awaitable.h"
#include "router/http/client_watch.h"
#include "router/http/completions_request.h"
#include "router/http/completions_response.h"
#include "router/http/event_stream.h"
#include "router/http/http_options.h"
#include "router/http/http_request.h"
#include "router/http/job_stream.h"
#include "router/http/metrics.h"
#include "router/http/reply.h"
#include "router/http/routes.h"
#include "router/http/served_model.h"

namespace sida::router {

// Used on the HTTP thread only. Engine and probe must outlive it.
class PublicApi {
 public:
  PublicApi(Engine& engine, ServedModel model, HttpLimits limits, ApiKeys keys, HttpProbe& probe);

  // Answers every request; never fails.
  boost::asio::awaitable<Answer> handle(HttpRequest request, ClientWatch& client);

  // From now on work is refused with 503; what runs is not touched.
  void refuse_new_requests() { refusing_ = true; }

 private:
  struct Streaming;

  boost::asio::awaitable<Answer> route(const HttpRequest& request, ClientWatch& client);
  boost::asio::awaitable<Answer> complete(const HttpRequest& request, ClientWatch& client);
  Answer start_stream(const boost::asio::any_io_executor& executor, const std::shared_ptr<Streaming>& streaming,
                      std::vector<Job> jobs, ClientWatch& client);
  boost::asio::awaitable<void> stream(std::shared_ptr<Streaming> streaming, EventSink& sink);
  // The event to send for what happened; empty: none. Sets `outcome` when a job failed.
  std::string event_data(Streaming& streaming, const JobEvent& event, std::string& outcome);
  [[nodiscard]] Reply translate(const HttpRequest& request) const;  // /tokenize and /detokenize.
  boost::asio::awaitable<Reply> score(const HttpRequest& request, ClientWatch& client);
  [[nodiscard]] Reply models(const std::string& wanted) const;  // One by its name; empty: the list.
  // Everything under /v2. `route`: of its path.
  boost::asio::awaitable<Reply> inference_protocol(const Route& route, const HttpRequest& request, ClientWatch& client);
  boost::asio::awaitable<ApiResult<nlohmann::json>> infer(std::size_t head, const HttpRequest& request,
                                                          ClientWatch& client);
  // Counts and logs it.
  void answered(const HttpRequest& request, const std::string& outcome, TimePoint begun);
  [[nodiscard]] Reply health() const;
  [[nodiscard]] RouterStatus status() const;  // Not ready while refusing.
  // Adds what the jobs of a request need besides their work: ids, client, deadline, trace.
  void prepare(std::vector<Job>& jobs, const HttpRequest& request);

  Engine& engine_;
  ServedModel model_;
  HttpLimits limits_;
  ApiKeys keys_;
  HttpProbe& probe_;
  std::uint64_t seed_base_;     // Random per process, so that ids and default seeds differ between routers and runs.
  std::uint64_t requests_ = 0;  // Jobs.
  std::uint64_t answers_ = 0;   // Requests whose client gave them no id.
  std::int64_t started_;        // Seconds since 1970.
  bool refusing_ = false;
};

}  // namespace sida::router

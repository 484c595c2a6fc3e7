// The endpoints of the public port: which path and method is what, and what each does.
#pragma once

#include <cstdint>

#include "router/core/request.h"
#include "router/http/awaitable.h"
#include "router/http/client_watch.h"
#include "router/http/http_options.h"
#include "router/http/http_request.h"
#include "router/http/metrics.h"
#include "router/http/reply.h"
#include "router/http/served_model.h"

namespace sida::router {

// Used on the HTTP thread only. Engine and probe must outlive it.
class PublicApi {
 public:
  PublicApi(Engine& engine, ServedModel model, HttpLimits limits, HttpProbe& probe);

  // Answers every request; never fails.
  boost::asio::awaitable<Reply> handle(HttpRequest request, ClientWatch& client);

 private:
  boost::asio::awaitable<Reply> route(const HttpRequest& request, ClientWatch& client);
  boost::asio::awaitable<Reply> complete(const HttpRequest& request, ClientWatch& client);
  boost::asio::awaitable<Reply> score(const HttpRequest& request, ClientWatch& client);
  [[nodiscard]] Reply models() const;
  // Adds what a job needs besides its work: id, deadline, trace.
  void prepare(Job& job, const HttpRequest& request);

  Engine& engine_;
  ServedModel model_;
  HttpLimits limits_;
  HttpProbe& probe_;
  std::uint64_t seed_base_;  // Random per process, so that ids and default seeds differ between routers and runs.
  std::uint64_t requests_ = 0;
  std::int64_t started_;  // Seconds since 1970.
};

}  // namespace sida::router

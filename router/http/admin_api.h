// The endpoints of the admin port: /metrics, /status, a page that shows the cluster, and what is asked of processes.
#pragma once

#include <string>

#include "router/core/request.h"
#include "router/http/http_request.h"
#include "router/http/metrics.h"
#include "router/http/reply.h"

namespace sida::router {

// Used on the HTTP thread only. Engine and probe must outlive it.
class AdminApi {
 public:
  // `model_name`: for people, in /status.
  AdminApi(Engine& engine, std::string model_name, const HttpProbe& probe);

  // Answers every request, from snapshots; what a supervisor or an operator tells is passed on to the engine.
  Reply answer(const HttpRequest& request);

 private:
  [[nodiscard]] Reply status(const HttpRequest& request) const;
  [[nodiscard]] Reply page() const;
  Reply note_failed(const HttpRequest& request, const std::string& process);
  Reply order(const HttpRequest& request, const std::string& worker, bool drain);

  Engine& engine_;
  const std::string model_name_;
  const HttpProbe& probe_;
  const std::string page_policy_;
};

}  // namespace sida::router

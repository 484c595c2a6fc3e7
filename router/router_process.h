// The router without its HTTP front end, assembled: weights, trunk and router agent on their two threads. What main
// runs, and tests and benchmarks run in their own process.
#pragma once

#include <memory>
#include <thread>

#include "common/base/result.h"
#include "common/compute/backend.h"
#include "common/model/model_directory.h"
#include "common/transport/transport.h"
#include "router/core/router_agent.h"
#include "router/router_config.h"
#include "router/trunk/trunk_agent.h"
#include "router/trunk/trunk_weights.h"

namespace sida::router {

class RouterProcess {
 public:
  // Loads the trunk's weights and starts the threads; blocks on disk. `model` and `transport` outlive it.
  static Result<std::unique_ptr<RouterProcess>> start(const RouterConfig& config, const model::ModelDirectory& model,
                                                      transport::Transport& transport);
  // Ends running jobs with kUnavailable and joins the threads.
  ~RouterProcess();
  RouterProcess(const RouterProcess&) = delete;
  RouterProcess& operator=(const RouterProcess&) = delete;

  [[nodiscard]] const std::vector<HeadWeights>& heads() const { return weights_.heads(); }

  // Any thread.
  [[nodiscard]] Engine& engine() { return *router_; }

 private:
  RouterProcess(TrunkWeights weights, std::unique_ptr<compute::Backend> backend)
      : weights_(std::move(weights)), backend_(std::move(backend)) {}

  TrunkWeights weights_;
  std::unique_ptr<compute::Backend> backend_;
  std::unique_ptr<RouterAgent> router_;
  std::unique_ptr<TrunkAgent> trunk_;
  std::thread trunk_thread_;
  std::thread router_thread_;
};

}  // namespace sida::router

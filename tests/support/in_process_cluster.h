// A whole cluster in this process: router, expert-workers and a predictor as threads, over in-process links.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/model/model_directory.h"
#include "common/runtime/wake_event.h"
#include "common/transport/transport.h"
#include "expert-worker/expert_worker.h"
#include "predictor/core/predictor_agent.h"
#include "router/router_process.h"

namespace sida::testing {

class InProcessCluster {
 public:
  struct Options {
    std::string model;  // Directory.
    int workers = 2;
    std::string dtype = "auto";
    std::string cpu_kernel = "auto";
    int threads = 1;  // Of the trunk, and of each worker.
    router::RoutingConfig routing;
  };
  // `predict`: what a predictor of the cluster computes; null: there is none. Throws std::runtime_error when a part
  // does not start; returns once all are ready.
  explicit InProcessCluster(const Options& options, std::unique_ptr<predictor::HashFunction> predict = nullptr);
  ~InProcessCluster();

  [[nodiscard]] router::Engine& engine() { return router_->engine(); }

  // Submits one job and waits for its result. Throws when it fails.
  router::JobResult run(router::Job job);

 private:
  std::string start_predictor(std::unique_ptr<predictor::HashFunction> predict);

  model::ModelDirectory model_;
  std::unique_ptr<transport::Transport> transport_;
  std::vector<std::unique_ptr<worker::ExpertWorker>> workers_;
  std::unique_ptr<predictor::PredictorAgent> predictor_;
  WakeEvent stop_predictor_;
  std::vector<std::thread> threads_;
  std::unique_ptr<router::RouterProcess> router_;
};

}  // namespace sida::testing

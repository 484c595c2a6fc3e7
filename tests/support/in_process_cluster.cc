#include "tests/support/in_process_cluster.h"

#include <future>
#include <stdexcept>
#include <utility>

#include "common/runtime/waiter.h"

namespace sida::testing {
namespace {

template <typename T>
T value_of(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

// Of workers and predictors.
std::size_t ready_peers(const router::RouterStatus& status) {
  std::size_t ready = 0;
  for (const auto& process : status.processes) {
    ready += process.role != "router" && process.state == "ready" ? 1 : 0;
  }
  return ready;
}

}  // namespace

InProcessCluster::InProcessCluster(const Options& options, std::unique_ptr<predictor::HashFunction> predict)
    : model_(value_of(model::ModelDirectory::open(options.model))),
      transport_(transport::make_in_process_transport({})) {
  router::RouterConfig config;
  config.model = options.model;
  config.dtype = options.dtype;
  config.cpu_kernel = options.cpu_kernel;
  config.threads = options.threads;
  config.routing = options.routing;
  for (int index = 0; index < options.workers; ++index) {
    worker::WorkerConfig worker;
    worker.name = "worker-" + std::to_string(index);
    worker.listen = "inproc://" + worker.name;
    worker.model = options.model;
    worker.dtype = options.dtype;
    worker.cpu_kernel = options.cpu_kernel;
    worker.threads = options.threads;
    workers_.push_back(value_of(
        worker::ExpertWorker::start(worker, value_of(model::ModelDirectory::open(options.model)), *transport_)));
    threads_.emplace_back([started = workers_.back().get()] { started->run(); });
    config.workers.push_back(worker.name + "=" + worker.listen);
  }
  if (predict) config.predictor_endpoints.push_back(start_predictor(std::move(predict)));
  router_ = value_of(router::RouterProcess::start(config, model_, *transport_));
  const TimePoint deadline = steady_now() + std::chrono::seconds(60);
  const std::size_t peers = workers_.size() + config.predictor_endpoints.size();
  while (ready_peers(router_->engine().status()) < peers) {
    if (steady_now() > deadline) throw std::runtime_error("workers and predictor are not ready within a minute");
    wait_readable({}, steady_now() + std::chrono::milliseconds(5));
  }
}

std::string InProcessCluster::start_predictor(std::unique_ptr<predictor::HashFunction> predict) {
  std::string endpoint = "inproc://predictor-0";
  predictor_ = std::make_unique<predictor::PredictorAgent>(
      predictor::PredictorIdentity{.incarnation = WorkerId{1}, .name = "predictor-0", .model = model_.fingerprint()},
      std::move(predict), value_of(transport_->serve_control(endpoint)), predictor::PredictorLimits{});
  threads_.emplace_back([this] { predictor_->run(stop_predictor_.descriptor()); });
  return endpoint;
}

InProcessCluster::~InProcessCluster() {
  router_.reset();
  stop_predictor_.signal();
  for (const auto& worker : workers_) worker->stop();
  for (std::thread& thread : threads_) thread.join();
}

router::JobResult InProcessCluster::run(router::Job job) {
  std::promise<Result<router::JobResult>> answered;
  auto answer = answered.get_future();
  job.done = [&](Result<router::JobResult> result) { answered.set_value(std::move(result)); };
  if (auto submitted = engine().submit(std::move(job)); !submitted) throw std::runtime_error(submitted.error().message);
  return value_of(answer.get());
}

}  // namespace sida::testing

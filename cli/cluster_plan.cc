#include "cli/cluster_plan.h"

#include <algorithm>

namespace sida::cli {
namespace {

std::string endpoint(const ClusterPlace& place, const std::string& name) {
  return "ipc://" + (place.run_directory / (name + ".sock")).string();
}

std::string worker_name(std::int64_t index) {
  return "worker-" + std::to_string(index);
}

std::string predictor_name(std::int64_t index) {
  return "predictor-" + std::to_string(index);
}

// None without a predictor directory.
std::int64_t predictors(const ClusterOptions& o, const ClusterPlace& place) {
  return place.predictor.empty() ? 0 : o.predictors;
}

ProcessPlan worker_plan(const ClusterOptions& o, const ClusterPlace& place, std::int64_t index) {
  const std::string name = worker_name(index);
  const std::int64_t share = std::max<std::int64_t>(1, place.cores / 2 / o.workers);
  ProcessPlan plan{name, place.programs / "sida-expert-worker", {}, ProcessRole::kWorker};
  const std::int64_t threads = o.worker_threads > 0 ? o.worker_threads : share;
  plan.arguments = {"--name",
                    name,
                    "--listen",
                    endpoint(place, name),
                    "--model",
                    o.model,
                    "--dtype",
                    o.dtype,
                    "--cpu-kernel",
                    o.cpu_kernel,
                    "--tensor-channel",
                    o.tensor_channel,
                    "--threads",
                    std::to_string(threads),
                    "--eviction",
                    o.eviction,
                    "--prefetch",
                    o.prefetch,
                    "--workers-on-host",
                    std::to_string(o.workers),
                    "--log-level",
                    o.log_level,
                    "--log-format",
                    o.log_format};
  if (o.expert_memory_bytes > 0) {
    const auto workers = static_cast<std::uint64_t>(o.workers);
    plan.arguments.insert(
        plan.arguments.end(),
        {"--expert-memory", std::to_string(std::max<std::uint64_t>(1, o.expert_memory_bytes / workers))});
  }
  return plan;
}

ProcessPlan predictor_plan(const ClusterOptions& o, const ClusterPlace& place, std::int64_t index) {
  const std::string name = predictor_name(index);
  return {name,
          place.programs / "sida-predictor",
          {"--name", name, "--listen", endpoint(place, name), "--model", o.model, "--predictor", place.predictor,
           "--log-level", o.log_level, "--log-format", o.log_format},
          ProcessRole::kPredictor};
}

ProcessPlan router_plan(const ClusterOptions& o, const ClusterPlace& place) {
  const std::int64_t half = std::max<std::int64_t>(1, place.cores / 2);
  ProcessPlan plan{"router-0", place.programs / "sida-router", {}, ProcessRole::kRouter};
  plan.arguments = {"--model",
                    o.model,
                    "--host",
                    o.host,
                    "--port",
                    std::to_string(place.port),
                    "--admin-port",
                    std::to_string(place.admin_port),
                    "--dtype",
                    o.dtype,
                    "--expert-capacity",
                    o.expert_capacity,
                    "--cpu-kernel",
                    o.cpu_kernel,
                    "--tensor-channel",
                    o.tensor_channel,
                    "--threads",
                    std::to_string(o.threads > 0 ? o.threads : half),
                    "--shutdown-grace",
                    std::to_string(o.shutdown_grace.count()) + "ms",
                    "--log-level",
                    o.log_level,
                    "--log-format",
                    o.log_format};
  const auto routing = routing_arguments(o);
  plan.arguments.insert(plan.arguments.end(), routing.begin(), routing.end());
  if (!o.access.ssl_certfile.empty() || !o.access.ssl_keyfile.empty()) {
    plan.arguments.insert(plan.arguments.end(),
                          {"--ssl-certfile", o.access.ssl_certfile, "--ssl-keyfile", o.access.ssl_keyfile});
  }
  if (!place.api_key_file.empty()) {
    plan.arguments.insert(plan.arguments.end(), {"--api-key-file", place.api_key_file});
  }
  if (!o.served_model_name.empty()) {
    plan.arguments.insert(plan.arguments.end(), {"--served-model-name", o.served_model_name});
  }
  for (std::int64_t index = 0; index < o.workers; ++index) {
    const std::string name = worker_name(index);
    plan.arguments.insert(plan.arguments.end(), {"--worker", name + "=" + endpoint(place, name)});
  }
  for (std::int64_t index = 0; index < predictors(o, place); ++index) {
    plan.arguments.insert(plan.arguments.end(), {"--predictor-endpoint", endpoint(place, predictor_name(index))});
  }
  return plan;
}

}  // namespace

std::vector<ProcessPlan> plan_cluster(const ClusterOptions& options, const ClusterPlace& place) {
  std::vector<ProcessPlan> plans;
  for (std::int64_t index = 0; index < options.workers; ++index) {
    plans.push_back(worker_plan(options, place, index));
  }
  for (std::int64_t index = 0; index < predictors(options, place); ++index) {
    plans.push_back(predictor_plan(options, place, index));
  }
  plans.push_back(router_plan(options, place));
  return plans;
}

}  // namespace sida::cli

// The options of a cluster on this host, shared by `serve` and by the verbs that start a cluster of their own.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "common/config/access_options.h"
#include "common/config/schema.h"

namespace sida::cli {

struct ClusterOptions {
  std::string model;                      // Directory.
  std::int64_t workers = 2;               // Expert-worker processes.
  std::string host = "127.0.0.1";         // Of the public port.
  std::int64_t port = 8000;               // 0: any free one.
  std::int64_t admin_port = 8001;         // 0: any free one.
  std::uint64_t expert_memory_bytes = 0;  // Of all workers together. 0: all that fits.
  std::string eviction = "table";
  std::string prefetch = "auto";
  std::string routing = "exact";
  std::int64_t predicted_top_k = 1;
  std::string predicted_weights = "gate";
  double gated_confidence = 0.9;
  std::chrono::milliseconds table_wait{100};
  double agreement_share = 0.1;
  std::string predictor = "auto";  // Directory, none, or auto: the model directory's predictor/ if it has one.
  std::int64_t predictors = 1;     // Predictor processes, where there is a predictor.
  std::string dtype = "auto";
  std::string served_model_name;  // Empty: the model directory's name.
  std::string device = "auto";
  std::string expert_capacity = "model";  // none, model or a number.
  std::string cpu_kernel = "auto";
  std::string tensor_channel = "auto";               // Between router and workers: auto or zeromq.
  std::int64_t threads = 0;                          // Compute threads of the router. 0: half of the cores.
  std::int64_t worker_threads = 0;                   // Compute threads of each worker. 0: the other half, shared.
  std::chrono::milliseconds shutdown_grace{10'000};  // For open requests to end.
  std::string log_level = "info";
  std::string log_format = "text";  // Or json.
  // Of `serve` alone; a cluster that another verb starts for itself has no keys.
  config::AccessOptions access;
};

// `model_required`: false for verbs that may use a running cluster instead. `with_predictor`: false for a verb that has
// a
// --predictor of its own.
void describe_cluster(config::Schema& schema, ClusterOptions& options, bool model_required, bool with_predictor = true);

// The flags of routing by the hash table, which `serve` and the router have in common.
std::vector<std::string> routing_arguments(const ClusterOptions& options);

}  // namespace sida::cli

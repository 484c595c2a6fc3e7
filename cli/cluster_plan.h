// Which processes a cluster on this host consists of, and with which arguments. Pure.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/cluster_options.h"
#include "cli/supervisor_core.h"

namespace sida::cli {

struct ProcessPlan {
  std::string name;     // "worker-0"
  std::string program;  // Path.
  std::vector<std::string> arguments;
  ProcessRole role = ProcessRole::kWorker;
};

struct ClusterPlace {
  std::filesystem::path programs;       // Folder of sida's binaries.
  std::filesystem::path run_directory;  // Of the sockets; private to this cluster.
  std::string predictor;                // Directory; empty: none.
  std::uint16_t port = 0;               // Both chosen and free.
  std::uint16_t admin_port = 0;
  unsigned cores = 1;
  std::string api_key_file;  // For the router; empty: no keys.
};

// Workers and predictors first, the router last.
std::vector<ProcessPlan> plan_cluster(const ClusterOptions& options, const ClusterPlace& place);

}  // namespace sida::cli

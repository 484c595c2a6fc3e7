// The expert-worker's configuration, and what follows from it for a model.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "common/base/result.h"
#include "common/config/link_options.h"
#include "common/config/schema.h"
#include "common/model/model_directory.h"
#include "expert-worker/residency/slot_memory.h"

namespace sida::worker {

struct WorkerConfig {
  std::string listen;          // Endpoint of the control link; the data endpoint is derived from it.
  std::int64_t data_port = 0;  // Of the data endpoint, where `listen` is TCP. 0: any that is free.
  config::LinkOptions links;
  std::string model;              // Directory.
  std::string name = "worker-0";  // Unique in a cluster; placement hashes it.
  std::uint64_t expert_memory_bytes =
      0;                             // Slots and the buffer for reading. 0: all experts, at most 80 % of free memory.
  std::int64_t workers_on_host = 1;  // Share the memory that the default is taken from.
  std::string eviction = "table";
  std::string prefetch = "auto";
  std::string tensor_channel = "auto";  // auto: through shared memory too, where `listen` is a Unix socket; zeromq.
  std::string dtype = "auto";           // auto: the checkpoint's; fp16 computes in fp32.
  std::string cpu_kernel = "auto";
  std::int64_t threads = 1;                       // Compute threads.
  std::chrono::milliseconds drain_grace{10'000};  // After SIGTERM, for what is in flight.
  std::string alive_file;                         // Touched while the process makes progress; empty: none.
  std::string log_level = "info";
  std::string log_format = "text";  // Or json.
};

config::Schema describe(WorkerConfig& config);

struct MemoryPlan {
  std::uint64_t budget_bytes = 0;
  std::uint32_t slots = 0;  // At most the model's experts.
};
// What fits into the budget besides `staging_bytes`: at least two experts, so that one can be read while another is
// computed (one where the model has only one). A layer that needs more runs in waves. kInvalidArgument when there is
// not so much; the message names the smallest budget.
Result<MemoryPlan> plan_memory(std::uint64_t configured_bytes, std::uint64_t available_bytes, std::size_t staging_bytes,
                               std::size_t expert_bytes, std::uint64_t experts_total);

// Memory that the system can still give without swapping, bytes.
std::uint64_t available_memory_bytes();

// "ipc://a.sock" gives "ipc://a.sock-data", "tcp://host:port" gives "tcp://host:DATA_PORT", or "tcp://host:*" for 0.
std::string data_endpoint(const std::string& control_endpoint, std::int64_t data_port);

// "ipc://a.sock" gives "shm://a.sock-rows"; empty for what is no Unix socket.
std::string shared_memory_endpoint(const std::string& control_endpoint);

}  // namespace sida::worker

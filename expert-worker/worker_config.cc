#include "expert-worker/worker_config.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string_view>

#include "common/config/quantity.h"
#include "common/logging/logging.h"
#include "expert-worker/residency/eviction_policy.h"

namespace sida::worker {

config::Schema describe(WorkerConfig& config) {
  config::Schema schema("sida-expert-worker", "Holds experts of a model and computes them for routers.");
  schema
      .text("listen", config.listen,
            "where routers connect: ipc:///PATH, tcp://127.0.0.1:PORT (* for any), or with keys tcp://ADDRESS:PORT")
      .placeholder("ENDPOINT")
      .required();
  schema.integer("data-port", config.data_port, {0, 65535}, "port for rows, where listen is a TCP endpoint")
      .zero_means("any that is free");
  config::describe_links(schema, config.links);
  schema.text("model", config.model, "model directory, as the routers have it").placeholder("DIR").required();
  schema.text("name", config.name, "name in the cluster; must be unique, and stay over a restart");
  schema.size("expert-memory", config.expert_memory_bytes, "memory for experts, everything included")
      .zero_means("all experts, at most 80 % of available memory by workers-on-host");
  schema.integer("workers-on-host", config.workers_on_host, {1, 1024},
                 "expert-workers that share this host's memory; what expert-memory is when it is not given");
  schema.choice("eviction", config.eviction, eviction_names(),
                "which expert makes room: the one needed last by the hash "
                "table (else the one wanted least often), the least recently used, that of each layer, or the oldest");
  schema.choice("prefetch", config.prefetch, {"auto", "on", "off"},
                "reads ahead what the hash table names; auto: while measurements say that it pays");
  schema.choice("tensor-channel", config.tensor_channel, {"auto", "zeromq"},
                "how rows come and go; auto: through shared memory for routers that connect over a Unix socket");
  schema.choice("dtype", config.dtype, {"auto", "fp32", "bf16"}, "of weights and rows; auto is the checkpoint's");
  schema.text("cpu-kernel", config.cpu_kernel, "auto, avx512bf16, avx512, avx2 or scalar");
  schema.integer("threads", config.threads, {1, 1024}, "compute threads");
  schema.duration("drain-grace", config.drain_grace, "time to finish what is in flight after SIGTERM");
  schema
      .text("alive-file", config.alive_file,
            "touched every second while the process serves and makes progress, for a supervisor to look at")
      .placeholder("FILE");
  schema.choice("log-level", config.log_level, log_levels(), "least severe lines on stderr");
  schema.choice("log-format", config.log_format, log_formats(), "of the lines on stderr");
  schema.example("sida-expert-worker --listen ipc:///run/sida/worker-0.sock --model models/demo --expert-memory 64MiB");
  return schema;
}

Result<MemoryPlan> plan_memory(std::uint64_t configured_bytes, std::uint64_t available_bytes, std::size_t staging_bytes,
                               std::size_t expert_bytes, std::uint64_t experts_total) {
  SIDA_CHECK(expert_bytes > 0);
  const std::uint64_t everything = experts_total * expert_bytes + staging_bytes;
  const std::uint64_t budget = configured_bytes > 0 ? configured_bytes : std::min(everything, available_bytes / 10 * 8);
  const std::uint64_t fitting = budget > staging_bytes ? (budget - staging_bytes) / expert_bytes : 0;
  const std::uint64_t fewest = std::min<std::uint64_t>(2, experts_total);
  if (fitting < fewest) {
    return fail(ErrorCode::kInvalidArgument,
                "expert-memory " + config::format_size(budget) + " of a worker is too small: it needs " +
                    std::to_string(fewest * expert_bytes + staging_bytes) + " bytes (" + std::to_string(fewest) +
                    " experts of " + config::format_size(expert_bytes) + ", and " + config::format_size(staging_bytes) +
                    " for reading); give --expert-memory at least that for each worker, or start fewer workers");
  }
  const std::uint64_t slots =
      std::min({fitting, experts_total, std::uint64_t{std::numeric_limits<std::uint32_t>::max()}});
  return MemoryPlan{budget, static_cast<std::uint32_t>(slots)};
}

std::uint64_t available_memory_bytes() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  std::uint64_t kilobytes = 0;
  std::string unit;
  while (file >> key >> kilobytes) {
    std::getline(file, unit);
    if (key == "MemAvailable:") return kilobytes * 1024;
  }
  return 0;
}

std::string data_endpoint(const std::string& control_endpoint, std::int64_t data_port) {
  if (control_endpoint.starts_with("tcp://")) {
    return control_endpoint.substr(0, control_endpoint.rfind(':') + 1) +
           (data_port == 0 ? "*" : std::to_string(data_port));
  }
  return control_endpoint + "-data";
}

std::string shared_memory_endpoint(const std::string& control_endpoint) {
  constexpr std::string_view kIpc = "ipc://";
  if (!control_endpoint.starts_with(kIpc)) return "";
  return "shm://" + control_endpoint.substr(kIpc.size()) + "-rows";
}

}  // namespace sida::worker

// The router process's configuration.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/config/link_options.h"
#include "common/config/schema.h"
#include "router/core/links.h"
#include "router/core/router_agent.h"
#include "router/http/http_options.h"
#include "router/routing_config.h"

namespace sida::router {

struct RouterConfig {
  std::string model;  // Directory.
  HttpOptions http;
  std::vector<std::string> workers;              // NAME=ENDPOINT
  std::vector<std::string> predictor_endpoints;  // Empty: no predictor.
  config::LinkOptions links;
  std::chrono::milliseconds resolve_every{5000};  // Host names among those endpoints.
  RoutingConfig routing;
  std::string tensor_channel = "auto";    // auto: shared memory where a worker offers it; zeromq.
  std::string dtype = "auto";             // auto: the checkpoint's; fp16 computes in fp32.
  std::string expert_capacity = "model";  // model: the checkpoint's; none; or a number.
  std::string cpu_kernel = "auto";
  std::int64_t threads = 1;               // Compute threads of the trunk.
  std::string served_model_name;          // Empty: the model directory's name.
  std::int64_t waiting_max = 512;         // Requests not started yet; beyond: 503.
  std::int64_t cache_tokens_max = 65536;  // Source and new tokens of running sequences; bounds the caches' memory.
  std::int64_t running_max = 256;         // Sequences with a cache.
  std::int64_t rows_max = 2048;           // Source and target rows of one step.
  std::int64_t sources_max = 0;           // Sources encoded in one step; 0: as many as rows_max lets in.
  std::chrono::milliseconds overtake_max{500};  // Extra wait of a source for others' experts; 0: first come.
  std::string log_level = "info";
  std::string log_format = "text";  // Or json.
};

config::Schema describe(RouterConfig& config);

// "worker-0=ipc:///run/sida/worker-0.sock". kInvalidArgument names what is wrong.
Result<NamedEndpoint> parse_worker(const std::string& text);
// The same, or an endpoint alone, which is called `name` then.
Result<NamedEndpoint> parse_predictor(const std::string& text, const std::string& name);

// What --expert-capacity means. 0: unlimited.
Result<std::int64_t> expert_capacity(const std::string& option, std::int64_t of_model);

// Of a configuration that its schema accepted.
RouterOptions router_options(const RouterConfig& config);

}  // namespace sida::router

#include "router/router_config.h"

#include "common/config/quantity.h"
#include "common/logging/logging.h"

namespace sida::router {
namespace {

// A name may stand for any host.
void check_names(const RouterConfig& config, std::vector<std::string>& problems) {
  if (config.links.encrypted()) return;
  std::vector<std::string> all = config.workers;
  all.insert(all.end(), config.predictor_endpoints.begin(), config.predictor_endpoints.end());
  for (const std::string& text : all) {
    const auto peer = parse_predictor(text, "predictor");
    if (!peer || host_name_of(peer->endpoint).empty()) continue;
    problems.push_back("'" + text +
                       "' names a host, and links between hosts must be encrypted; make keys with 'sida keys', " +
                       "and give --link-secret-key FILE and --link-allow PATH");
  }
}

}  // namespace

config::Schema describe(RouterConfig& c) {
  config::Schema schema("sida-router",
                        "Takes requests, runs the dense part of the model, and sends each token's row to the "
                        "expert-worker that holds its expert.");
  schema.text("model", c.model, "model directory, as Hugging Face writes it").placeholder("DIR").required();
  describe_http(schema, c.http);
  schema.texts("worker", c.workers, "an expert-worker's control endpoint; repeat for each")
      .placeholder("NAME=ENDPOINT")
      .required();
  schema
      .texts("predictor-endpoint", c.predictor_endpoints,
             "a predictor's control endpoint, named predictor-0 and so on unless told otherwise; none: no prediction")
      .placeholder("[NAME=]ENDPOINT");
  config::describe_links(schema, c.links);
  schema.duration("resolve-every", c.resolve_every,
                  "host names among the endpoints stand for as many peers as they have addresses, asked for so often");
  describe_routing(schema, c.routing);
  schema.choice("tensor-channel", c.tensor_channel, {"auto", "zeromq"},
                "how rows go to workers; auto: through shared memory to those on this host that offer it");
  schema.choice("dtype", c.dtype, {"auto", "fp32", "bf16"}, "compute type; auto: the checkpoint's, fp16 as fp32");
  schema.text("expert-capacity", c.expert_capacity, "tokens of one sequence per expert: model, none, or a number");
  schema.choice("cpu-kernel", c.cpu_kernel, {"auto", "avx512bf16", "avx512", "avx2", "scalar"},
                "kernels of the dense part; all give the same bits");
  schema.integer("threads", c.threads, {1, 1024}, "compute threads of the dense part");
  schema.text("served-model-name", c.served_model_name, "name in the API; default: the model directory's");
  schema.integer("waiting-max", c.waiting_max, {1, 1'000'000}, "sequences waiting to start; beyond: 503");
  schema.integer("running-max", c.running_max, {1, 1'000'000}, "sequences running at once");
  schema.integer("cache-tokens-max", c.cache_tokens_max, {1, 1'000'000'000},
                 "source and new tokens of all running sequences, whose caches take memory");
  schema.integer("rows-max", c.rows_max, {1, 1'000'000}, "source and target rows encoded or scored per step");
  schema.integer("sources-max", c.sources_max, {0, 1'000'000}, "sources encoded per step")
      .zero_means("as many as rows-max lets in");
  schema
      .duration("overtake-max", c.overtake_max,
                "sources that share predicted experts are encoded together; for that, one may wait so much longer than "
                "in order of arrival")
      .zero_means("first come, first served");
  schema.choice("log-level", c.log_level, log_levels(), "least level that is logged");
  schema.choice("log-format", c.log_format, log_formats(), "of the log");
  schema.rule([&c](std::vector<std::string>& problems) {
    for (const std::string& worker : c.workers) {
      if (auto parsed = parse_worker(worker); !parsed) problems.push_back(parsed.error().message);
    }
    for (const std::string& predictor : c.predictor_endpoints) {
      if (auto parsed = parse_predictor(predictor, "predictor"); !parsed) problems.push_back(parsed.error().message);
    }
    if (c.resolve_every < std::chrono::milliseconds(10)) problems.emplace_back("--resolve-every must be 10ms at least");
    check_names(c, problems);
    if (auto capacity = expert_capacity(c.expert_capacity, 1); !capacity) problems.push_back(capacity.error().message);
  });
  schema.example("sida-router --model models/demo --worker worker-0=ipc:///tmp/sida/worker-0.sock");
  return schema;
}

Result<NamedEndpoint> parse_worker(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    return fail(ErrorCode::kInvalidArgument, "worker '" + text + "' is not NAME=ENDPOINT");
  }
  return NamedEndpoint{text.substr(0, equals), text.substr(equals + 1), ""};
}

Result<NamedEndpoint> parse_predictor(const std::string& text, const std::string& name) {
  const auto scheme = text.find("://");
  if (text.find('=') < scheme) return parse_worker(text);
  return NamedEndpoint{name, text, ""};
}

Result<std::int64_t> expert_capacity(const std::string& option, std::int64_t of_model) {
  if (option == "model") return of_model;
  if (option == "none") return 0;
  auto parsed = config::parse_integer(option);
  if (!parsed || *parsed < 1) {
    return fail(ErrorCode::kInvalidArgument,
                "expert-capacity '" + option + "' is not model, none or a positive number");
  }
  return *parsed;
}

RouterOptions router_options(const RouterConfig& config) {
  RouterOptions options;
  for (const std::string& worker : config.workers) options.workers.push_back(*parse_worker(worker));
  for (const std::string& predictor : config.predictor_endpoints) {
    const std::string name = "predictor-" + std::to_string(options.predictors.size());
    options.predictors.push_back(*parse_predictor(predictor, name));
  }
  options.limits.waiting_max = static_cast<std::size_t>(config.waiting_max);
  options.limits.running_max = static_cast<std::size_t>(config.running_max);
  options.limits.rows_max = config.rows_max;
  options.limits.overtake_max = config.overtake_max;
  if (config.sources_max > 0) options.limits.sources_max = static_cast<std::size_t>(config.sources_max);
  options.limits.cache_tokens_max = config.cache_tokens_max;
  options.resolve_every = config.resolve_every;
  options.routing = routing_options(config.routing);
  return options;
}

}  // namespace sida::router

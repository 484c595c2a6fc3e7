#include "cli/private_cluster.h"

#include <csignal>
#include <filesystem>

#include "cli/error_line.h"
#include "common/runtime/shutdown_signal.h"

namespace sida::cli {
namespace {

constexpr std::chrono::minutes kStartPatience{30};  // A model of 29 GB comes from a slow disk in a quarter of that.
constexpr std::string_view kReady = "ready: ";
constexpr std::string_view kDashboard = " dashboard ";

}  // namespace

std::vector<std::string> serve_arguments(const ClusterOptions& o) {
  std::vector<std::string> arguments{"serve",
                                     "--model",
                                     o.model,
                                     "--workers",
                                     std::to_string(o.workers),
                                     "--host",
                                     o.host,
                                     "--port",
                                     std::to_string(o.port),
                                     "--admin-port",
                                     std::to_string(o.admin_port),
                                     "--expert-memory",
                                     std::to_string(o.expert_memory_bytes),
                                     "--eviction",
                                     o.eviction,
                                     "--prefetch",
                                     o.prefetch,
                                     "--predictor",
                                     o.predictor,
                                     "--predictors",
                                     std::to_string(o.predictors),
                                     "--dtype",
                                     o.dtype,
                                     "--device",
                                     o.device,
                                     "--expert-capacity",
                                     o.expert_capacity,
                                     "--cpu-kernel",
                                     o.cpu_kernel,
                                     "--tensor-channel",
                                     o.tensor_channel,
                                     "--threads",
                                     std::to_string(o.threads),
                                     "--worker-threads",
                                     std::to_string(o.worker_threads),
                                     "--shutdown-grace",
                                     std::to_string(o.shutdown_grace.count()) + "ms",
                                     "--log-level",
                                     o.log_level,
                                     "--log-format",
                                     o.log_format};
  const auto routing = routing_arguments(o);
  arguments.insert(arguments.end(), routing.begin(), routing.end());
  if (!o.served_model_name.empty()) {
    arguments.insert(arguments.end(), {"--served-model-name", o.served_model_name});
  }
  return arguments;
}

void describe_target(config::Schema& schema, RunningCluster& running, ClusterOptions& options) {
  schema.text("url", running.url, "a running router, as http://127.0.0.1:8000").placeholder("URL");
  schema.text("api-key", running.api_key, "key that it wants").placeholder("KEY").secret();
  describe_cluster(schema, options, /*model_required=*/false);
  const config::Option* model = schema.find("model");
  schema.rule([&url = running.url, &options, model](std::vector<std::string>& problems) {
    if (url.empty() && options.model.empty()) {
      problems.emplace_back("give --model DIR to start a cluster for this, or --url of a running one");
    }
    // A variable or file may name a model for other verbs.
    if (!url.empty() && model->source() == config::Source::kFlag) {
      problems.emplace_back("give --url of a running cluster or --model DIR to start one, not both");
    }
  });
}

Result<std::unique_ptr<PrivateCluster>> PrivateCluster::start(ClusterOptions options) {
  options.host = "127.0.0.1";
  options.port = 0;
  options.admin_port = 0;
  // Not always this very program: sida-bench, which lies beside it, measures clusters too.
  const auto program = programs_directory() / "sida";
  // SIGTERM, so that an orphaned `serve` still ends its own children in order.
  auto process = ChildProcess::start(program.string(), serve_arguments(options), SIGTERM);
  if (!process) {
    return tl::unexpected<Error>(std::move(process).error());
  }
  auto cluster = std::make_unique<PrivateCluster>(*std::move(process));
  SIDA_TRY(cluster->wait_until_ready());
  return Result<std::unique_ptr<PrivateCluster>>(std::move(cluster));
}

PrivateCluster::PrivateCluster(ChildProcess process) : process_(std::move(process)) {}

PrivateCluster::~PrivateCluster() {
  process_.send(SIGTERM);
  process_.wait_end();
  if (drain_.joinable()) {
    drain_.join();
  }
}

Result<void> PrivateCluster::take_addresses(const std::string& told) {
  const std::size_t between = told.find(kDashboard);
  auto url = parse_url(told.substr(0, between));
  auto admin = parse_url(between == std::string::npos ? "" : told.substr(between + kDashboard.size()));
  if (!url) {
    return tl::unexpected<Error>(std::move(url).error());
  }
  if (!admin) {
    return tl::unexpected<Error>(std::move(admin).error());
  }
  url_ = *std::move(url);
  admin_url_ = *std::move(admin);
  return {};
}

Result<void> PrivateCluster::wait_until_ready() {
  const TimePoint deadline = steady_now() + kStartPatience;
  Error error{ErrorCode::kInternal, "the cluster ended before it was ready; sida serve shows why"};
  while (process_.output() >= 0 && steady_now() < deadline) {
    // Where the verb takes these signals itself, they would wait for the cluster else; where not, they end it anyway.
    if (const auto signal = wait_for_shutdown_signal(process_.output(), deadline)) {
      return fail(ErrorCode::kCancelled, "interrupted by " + *signal + " before the cluster was ready");
    }
    for (const std::string& line : process_.read_lines()) {
      if (line.starts_with(kReady)) return begin_to_drain(line.substr(kReady.size()));
      if (auto told = parse_error_line(line)) error = *std::move(told);
    }
  }
  return tl::unexpected<Error>(std::move(error));
}

Result<void> PrivateCluster::begin_to_drain(const std::string& addresses) {
  SIDA_TRY(take_addresses(addresses));
  drain_ = std::thread([this] {
    while (process_.read_line(std::chrono::hours(24))) {
    }
  });
  return {};
}

Result<Target> Target::open(const RunningCluster& running, const ClusterOptions& options) {
  Target target;
  if (!running.url.empty()) {
    auto parsed = parse_url(running.url);
    if (!parsed) {
      return tl::unexpected<Error>(std::move(parsed).error());
    }
    target.url_ = *std::move(parsed);
    target.url_.api_key = running.api_key;
    return target;
  }
  if (options.model.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "give --model DIR to start a cluster for this, or --url http://HOST:PORT of a running one");
  }
  auto cluster = PrivateCluster::start(options);
  if (!cluster) {
    return tl::unexpected<Error>(std::move(cluster).error());
  }
  target.cluster_ = *std::move(cluster);
  target.url_ = target.cluster_->url();
  return target;
}

}  // namespace sida::cli

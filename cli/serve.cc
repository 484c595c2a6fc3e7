// `sida serve`: a whole cluster on this host.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <thread>

#include "cli/cluster_plan.h"
#include "cli/http_client.h"
#include "cli/ready_core.h"
#include "cli/run_directory.h"
#include "cli/supervisor.h"
#include "cli/verbs.h"
#include "common/config/configure.h"
#include "common/runtime/clock.h"

namespace sida::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kRouterEnds{5};       // After its grace: to cut off what is left, and end.
constexpr std::chrono::milliseconds kPatience{500};  // With a router on this host.

// Tells once when the cluster is ready, and on the way there what it waits for.
class ReadyWatch {
 public:
  ReadyWatch(std::string host, std::uint16_t port, std::uint16_t admin_port, bool tls)
      : host_(std::move(host)), port_(port), admin_port_(admin_port), tls_(tls) {}

  bool poll() {
    // Where the API speaks TLS, the admin port tells the same.
    const auto health = tls_ ? http_call({"127.0.0.1", std::to_string(admin_port_)}, "/status", {}, kPatience)
                             : http_call({reachable_host(), std::to_string(port_)}, "/health", {}, kPatience);
    const auto status = http_call({"127.0.0.1", std::to_string(admin_port_)}, "/status", {}, kPatience);
    const TimePoint now = steady_now();
    const bool served = health && health->status == 200 && (!tls_ || health->body.value("ready", false));
    const ClusterSight sight =
        sight_of(served, health ? health->body : nlohmann::json(), status ? status->body : nlohmann::json());
    const bool ready = core_.is_ready(sight, now);
    show_progress(sight.progress, now, ready);
    if (ready) {
      std::printf("ready: %s://%s:%d dashboard http://127.0.0.1:%d\n", tls_ ? "https" : "http", shown_host().c_str(),
                  port_, admin_port_);
      std::fflush(stdout);
    }
    return ready;
  }

 private:
  static constexpr std::chrono::seconds kBetweenLines{1};

  // What was last, so that it is known how much the ready cluster still reads, and before that a line a second.
  void show_progress(const std::string& progress, TimePoint now, bool last) {
    if (progress.empty() || progress == last_progress_ || (!last && now < next_line_)) return;
    std::printf("loading: %s\n", progress.c_str());
    std::fflush(stdout);
    last_progress_ = progress;
    next_line_ = now + kBetweenLines;
  }
  // A wildcard address is bound, never asked.
  [[nodiscard]] std::string reachable_host() const {
    return host_ == "0.0.0.0" ? "127.0.0.1" : host_ == "::" ? "::1" : host_;
  }
  [[nodiscard]] std::string shown_host() const {
    const std::string host = reachable_host();
    return host.find(':') == std::string::npos ? host : "[" + host + "]";
  }

  std::string host_;
  std::uint16_t port_;
  std::uint16_t admin_port_;
  bool tls_;
  ReadyCore core_;
  std::string last_progress_;
  TimePoint next_line_{};
};

// What would make every child fail alike is told here, once.
Result<void> check_directories(const ClusterOptions& options) {
  std::error_code ignored;
  if (!fs::is_directory(options.model, ignored)) {
    return fail(ErrorCode::kInvalidModel, "--model: " + options.model + " is no directory");
  }
  const bool named = options.predictor != "auto" && options.predictor != "none";
  if (named && !fs::is_directory(options.predictor, ignored)) {
    return fail(ErrorCode::kInvalidModel, "--predictor: " + options.predictor + " is no directory (or write none)");
  }
  return {};
}

std::string predictor_directory(const ClusterOptions& options) {
  if (options.predictor == "none") {
    return "";
  }
  if (options.predictor != "auto") {
    return options.predictor;
  }
  std::error_code ignored;
  const fs::path beside = fs::path(options.model) / "predictor";
  return fs::is_directory(beside, ignored) ? beside.string() : "";
}

// All keys in a file that only this user can read, since everybody on the host can see a process's arguments. Empty
// when there are none.
Result<std::string> write_key_file(const ClusterOptions& options, const fs::path& folder) {
  if (options.access.api_keys.empty()) {
    std::error_code ignored;
    return options.access.api_key_file.empty() ? "" : fs::absolute(options.access.api_key_file, ignored).string();
  }
  const std::string path = (folder / "api-keys").string();
  std::ofstream file(path);  // The folder is closed to others.
  for (const std::string& key : options.access.api_keys) {
    file << key << '\n';
  }
  if (!options.access.api_key_file.empty()) {
    std::ifstream given(options.access.api_key_file);
    if (!given) {
      return fail(ErrorCode::kIo, "--api-key-file: " + options.access.api_key_file + " cannot be read");
    }
    for (std::string line; std::getline(given, line);) {
      file << line << '\n';
    }
  }
  file.close();
  if (!file) {
    return fail(ErrorCode::kIo, path + " cannot be written");
  }
  return path;
}

Result<void> run_cluster(const ClusterOptions& options) {
  SIDA_TRY(check_directories(options));
  const auto port = ClaimedPort::claim(options.host, static_cast<std::uint16_t>(options.port));
  if (!port) {
    return tl::unexpected<Error>(port.error());
  }
  const auto admin_port = ClaimedPort::claim("127.0.0.1", static_cast<std::uint16_t>(options.admin_port));
  if (!admin_port) {
    return tl::unexpected<Error>(admin_port.error());
  }
  auto directory = RunDirectory::make();
  if (!directory) {
    return tl::unexpected<Error>(std::move(directory).error());
  }
  auto key_file = write_key_file(options, directory->path());
  if (!key_file) {
    return tl::unexpected<Error>(std::move(key_file).error());
  }
  const ClusterPlace place{programs_directory(),         directory->path(),
                           predictor_directory(options), port->number(),
                           admin_port->number(),         std::max(1U, std::thread::hardware_concurrency()),
                           *std::move(key_file)};
  ReadyWatch watch(options.host, port->number(), admin_port->number(), !options.access.ssl_certfile.empty());
  SupervisorHooks hooks;
  hooks.line = [json = options.log_format == "json"](const std::string& process, const std::string& line) {
    if (json) {  // Each line names its process itself.
      std::fprintf(stderr, "%s\n", line.c_str());
      return;
    }
    std::fprintf(stderr, "%-11s | %s\n", process.c_str(), line.c_str());
  };
  hooks.poll_ready = [&watch] { return watch.poll(); };
  hooks.failed = [admin = Url{"127.0.0.1", std::to_string(admin_port->number())}](const std::string& process,
                                                                                  const std::string& why) {
    // Best effort: it is told again after the process's next end.
    [[maybe_unused]] const auto told = http_call(admin, "/processes/" + process + "/failed", {{"why", why}}, kPatience);
  };
  RestartPolicy policy;
  policy.router_grace = options.shutdown_grace + kRouterEnds;
  Supervisor supervisor(plan_cluster(options, place), policy, std::move(hooks));
  return supervisor.run();
}

}  // namespace

int serve(const Arguments& arguments) {
  ClusterOptions options;
  config::Schema schema(
      "sida serve",
      "Runs a whole cluster on this host: expert-workers, a predictor and a router, as child\n"
      "processes. Starts again what dies. On SIGINT or SIGTERM open requests are answered, then all of it ends.");
  describe_cluster(schema, options, /*model_required=*/true);
  config::describe_access(schema, options.access);
  schema.example("sida serve --model models/demo");
  schema.example("sida serve --model switch-base-64 --workers 4 --expert-memory 4GiB --dtype bf16");
  if (const auto exit_code = config::configure(schema, arguments)) {
    return *exit_code;
  }
  const auto done = run_cluster(options);
  return done ? 0 : report(done.error());
}

}  // namespace sida::cli

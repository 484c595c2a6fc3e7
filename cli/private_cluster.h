// A cluster that a verb starts for itself and ends with itself.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "cli/child_process.h"
#include "cli/cluster_options.h"
#include "cli/http_client.h"

namespace sida::cli {

// `sida serve`, of the program beside this one, as a child on free ports. The destructor ends it and waits.
class PrivateCluster {
 public:
  // Blocks until requests are served: seconds to minutes, by the model's size. The error is the one that `sida serve`
  // told; kCancelled when SIGINT or SIGTERM comes before that to a process that has them blocked.
  static Result<std::unique_ptr<PrivateCluster>> start(ClusterOptions options);

  explicit PrivateCluster(ChildProcess process);
  ~PrivateCluster();
  PrivateCluster(const PrivateCluster&) = delete;
  PrivateCluster& operator=(const PrivateCluster&) = delete;

  [[nodiscard]] const Url& url() const { return url_; }
  [[nodiscard]] const Url& admin_url() const { return admin_url_; }
  // Of `sida serve`, whose children are the cluster.
  [[nodiscard]] pid_t pid() const { return process_.pid(); }

 private:
  Result<void> wait_until_ready();
  Result<void> begin_to_drain(const std::string& addresses);
  // From "URL dashboard URL", what `sida serve` says when it is ready.
  Result<void> take_addresses(const std::string& told);

  ChildProcess process_;
  Url url_;
  Url admin_url_;
  std::thread drain_;  // Keeps the pipe from filling up; what comes after "ready" is of no interest.
};

// A cluster that runs already.
struct RunningCluster {
  std::string url;      // Of its API; empty: there is none.
  std::string api_key;  // Sent to it; empty: none.
};

// The router that a verb talks to: the running one if given, else a private cluster of `options`, which must then name
// a model.
class Target {
 public:
  static Result<Target> open(const RunningCluster& running, const ClusterOptions& options);
  [[nodiscard]] const Url& url() const { return url_; }

 private:
  Url url_;
  std::unique_ptr<PrivateCluster> cluster_;
};

// Adds --url, --api-key and the options of a cluster, with the rule that one of --url and --model says where to ask.
// Both must outlive the schema.
void describe_target(config::Schema& schema, RunningCluster& running, ClusterOptions& options);

// The flags of `sida serve` that give these options.
std::vector<std::string> serve_arguments(const ClusterOptions& options);

}  // namespace sida::cli

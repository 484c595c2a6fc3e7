// What the router tells of its processes, and whoever scales expert-workers.
#include <unistd.h>

#include <algorithm>

#include "router/core/router_agent.h"

namespace sida::router {
namespace {

// Rows a second that a worker announced, the mean of those that are ready; 0: none is.
double announced_rate(const std::vector<std::unique_ptr<PeerLink>>& links) {
  double sum = 0;
  std::size_t ready = 0;
  for (const auto& link : links) {
    if (!link->core().ready()) continue;
    sum += link->core().welcome()->capacity.experts_per_second;
    ++ready;
  }
  return ready == 0 ? 0 : sum / static_cast<double>(ready);
}

}  // namespace

double RouterAgent::desired_workers(const std::vector<WorkerStatus>& workers, TimePoint now) {
  std::uint64_t rows_served = 0;
  for (const WorkerStatus& worker : workers) rows_served += worker.rows_served;
  demand_.served(rows_served, workers_.live().size(), now);
  double queued = 0;
  for (const auto& [id, running] : running_) {
    RemainingWork work;
    if (!running.encoded) work.source_tokens = running.source_tokens;
    if (const auto* score = std::get_if<ScoreJob>(&running.job.work)) work.target_tokens = score->target_ids.size();
    if (const auto* generate = std::get_if<GenerateJob>(&running.job.work)) {
      const auto most = static_cast<std::uint64_t>(std::max(0, generate->sampling.max_new_tokens));
      work.new_tokens = running.decoded_tokens;
      work.new_tokens_max = most - std::min(most, work.new_tokens);
    }
    queued += demand_.rows_of(work);
  }
  return demand_.workers(queued, announced_rate(workers_.links()));
}

// And what is counted by link.
void RouterAgent::add_processes(RouterStatus& status) const {
  status.processes.push_back({.name = "router",
                              .role = "router",
                              .pid = static_cast<std::uint32_t>(getpid()),
                              .address = "",
                              .state = "ready",
                              .detail = ""});
  for (const auto& link : predictors_.links()) {
    status.processes.push_back(link->status("predictor"));
    status.malformed_messages += link->malformed_messages();
  }
  std::size_t known = 0;
  for (const auto& link : workers_.links()) {
    status.processes.push_back(link->status("expert-worker"));
    known += link->core().ready() ? 1 : 0;
    status.malformed_messages += link->malformed_messages();
  }
  const std::size_t workers = std::max<std::size_t>(1, workers_.links().size());
  status.loaded_fraction = static_cast<double>(known) / static_cast<double>(workers);
}

}  // namespace sida::router

// RouterAgent: which peers it has links to.
#include <algorithm>
#include <utility>

#include "router/core/router_agent.h"

namespace sida::router {

Result<std::unique_ptr<RouterAgent>> RouterAgent::make(const model::ModelDirectory& model,
                                                       transport::Transport& transport, const proto::Hello& hello,
                                                       const RouterOptions& options,
                                                       std::function<void(TrunkCommand)> to_trunk) {
  Peers worker_peers{PeerDirectory(options.workers), {transport, PeerRole::kWorker, hello}};
  Peers predictor_peers{PeerDirectory(options.predictors), {transport, PeerRole::kPredictor, hello}};
  auto workers = connect_peers(transport, PeerRole::kWorker, worker_peers.directory.addressed(), hello);
  if (!workers) return tl::unexpected(std::move(workers).error());
  auto predictors = connect_peers(transport, PeerRole::kPredictor, predictor_peers.directory.addressed(), hello);
  if (!predictors) return tl::unexpected(std::move(predictors).error());
  Links links{WorkerLinks(std::move(*workers), model.experts_total()),
              PredictorLinks(std::move(*predictors), model.geometry().encoder_moe_layers), std::move(worker_peers),
              std::move(predictor_peers)};
  return std::unique_ptr<RouterAgent>(new RouterAgent(model, std::move(links), options, std::move(to_trunk)));
}

std::vector<std::string> RouterAgent::host_names() const {
  std::vector<std::string> names = worker_peers_.directory.host_names();
  for (const std::string& name : predictor_peers_.directory.host_names()) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return names;
}

void RouterAgent::follow_names() {
  for (const Resolution& resolution : resolver_.take()) {
    PeerDirectory& workers = worker_peers_.directory;
    workers.not_connected(resolution.host, workers_.change(workers.resolved(resolution), worker_peers_.connector));
    PeerDirectory& predictors = predictor_peers_.directory;
    predictors.not_connected(resolution.host,
                             predictors_.change(predictors.resolved(resolution), predictor_peers_.connector));
  }
}

}  // namespace sida::router

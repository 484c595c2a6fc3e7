#include "router/router_process.h"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>
#include <vector>

#include "common/base/random_id.h"
#include "common/base/version.h"
#include "common/model/compute_dtype.h"

namespace sida::router {

Result<std::unique_ptr<RouterProcess>> RouterProcess::start(const RouterConfig& config,
                                                            const model::ModelDirectory& model,
                                                            transport::Transport& transport) {
  const auto dtype = model::compute_dtype(config.dtype, model);
  if (!dtype) return tl::unexpected(dtype.error());
  const auto capacity = expert_capacity(config.expert_capacity, model.config().expert_capacity);
  if (!capacity) return tl::unexpected(capacity.error());
  auto weights = TrunkWeights::load(model, {.dtype = *dtype, .expert_capacity = *capacity});
  if (!weights) return tl::unexpected(std::move(weights).error());
  auto backend = compute::make_cpu_backend({config.cpu_kernel, static_cast<int>(config.threads)});
  if (!backend) return tl::unexpected(std::move(backend).error());
  spdlog::info("trunk loaded bytes={} dtype={} kernel={}", weights->bytes(), name(*dtype),
               (*backend)->capabilities().kernel);

  std::unique_ptr<RouterProcess> process(new RouterProcess(std::move(*weights), std::move(*backend)));
  RouterProcess& self = *process;
  std::vector<proto::ChannelKind> channels{proto::ChannelKind::kZeroMq, proto::ChannelKind::kInProcess};
  if (config.tensor_channel != "zeromq") channels.insert(channels.begin(), proto::ChannelKind::kSharedMemory);
  const proto::Hello hello{.router = RouterId{random_id()},
                           .software_version = std::string(version()),
                           .model = model.fingerprint(),
                           .compute_dtype = *dtype,
                           .channels = std::move(channels)};
  auto router = RouterAgent::make(model, transport, hello, router_options(config),
                                  [&self](TrunkCommand command) { self.trunk_->post(std::move(command)); });
  if (!router) return tl::unexpected(std::move(router).error());
  self.router_ = std::move(*router);
  self.trunk_ = std::make_unique<TrunkAgent>(
      self.weights_, *self.backend_, transport,
      RemoteExperts::Options{
          .hello = hello,
          .d_model = model.config().d_model,
          .experts_total = model.experts_total(),
          .channels_changed = [&self](WorkerChannels kinds) { self.router_->channels_changed(std::move(kinds)); }},
      router_options(config).routing, [&self](StepDone done) { self.router_->step_done(std::move(done)); });
  self.trunk_thread_ = std::thread([&self] { self.trunk_->run(); });
  self.router_thread_ = std::thread([&self] { self.router_->run(); });
  return process;
}

RouterProcess::~RouterProcess() {
  if (router_thread_.joinable()) {
    router_->stop();  // Its last act stops the trunk.
    router_thread_.join();
    trunk_thread_.join();
  }
}

}  // namespace sida::router

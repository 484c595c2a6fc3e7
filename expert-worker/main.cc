// sida-expert-worker: one link thread (this one) between routers and two threads that work, one on the disk and one on
// the rows.
#include <spdlog/spdlog.h>

#include <csignal>
#include <string>
#include <utility>

#include "common/config/configure.h"
#include "common/logging/logging.h"
#include "common/model/model_directory.h"
#include "common/transport/keys/keyring.h"
#include "common/transport/transport.h"
#include "expert-worker/expert_worker.h"

namespace {

sida::worker::ExpertWorker* running = nullptr;

void on_signal(int /*signal*/) {
  if (running != nullptr) running->stop();
}

sida::Result<void> serve(const sida::worker::WorkerConfig& config) {
  SIDA_TRY(sida::start_logging(config.name, config.log_level, config.log_format));
  auto model = sida::model::ModelDirectory::open(config.model);
  if (!model) return tl::unexpected(std::move(model).error());
  for (const std::string& warning : model->warnings()) spdlog::warn("model warning=\"{}\"", warning);

  const auto keyring = sida::transport::Keyring::open({config.links.link_secret_key, config.links.link_allow});
  if (!keyring) return tl::unexpected(keyring.error());
  const auto transport = sida::transport::make_host_transport({}, *keyring);
  auto worker = sida::worker::ExpertWorker::start(config, *std::move(model), *transport, *keyring);
  if (!worker) return tl::unexpected(std::move(worker).error());

  running = worker->get();
  std::signal(SIGTERM, on_signal);
  std::signal(SIGINT, on_signal);
  const sida::proto::Welcome& welcome = (*worker)->welcome();
  spdlog::info(
      "ready endpoint={} data_endpoint={} shared_memory_endpoint={} kernel={} slots={} expert_bytes={} "
      "experts_per_second={:.0f}",
      (*worker)->endpoint(), welcome.data_endpoint, welcome.shared_memory_endpoint, welcome.kernel,
      welcome.capacity.slots, welcome.capacity.expert_bytes, welcome.capacity.experts_per_second);
  (*worker)->run();
  // The worker is about to go: a second signal must not find it.
  std::signal(SIGTERM, SIG_IGN);
  std::signal(SIGINT, SIG_IGN);
  running = nullptr;
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  sida::worker::WorkerConfig config;
  auto schema = describe(config);
  if (auto exit_code = sida::config::configure(schema, argc, argv)) return *exit_code;
  return sida::exit_code_of(serve(config));
}

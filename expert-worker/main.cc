// sida-expert-worker: one link thread (this one) between routers and two threads that work, one on the disk and one on
// the rows.
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>

#include "common/config/configure.h"
#include "common/transport/transport.h"
#include "expert-worker/expert_worker.h"

namespace {

sida::worker::ExpertWorker* running = nullptr;

void on_signal(int /*signal*/) {
  if (running != nullptr) running->stop();
}

void log_to_stderr(const std::string& level) {
  spdlog::set_default_logger(spdlog::stderr_logger_mt("worker"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
  spdlog::set_level(spdlog::level::from_str(level));
}

int fail_with(const sida::Error& error) {
  std::fprintf(stderr, "error: %s: %s\n", std::string(sida::name(error.code)).c_str(), error.message.c_str());
  return sida::exit_code(error.code);
}

}  // namespace

int main(int argc, char** argv) {
  sida::worker::WorkerConfig config;
  auto schema = describe(config);
  if (auto exit_code = sida::config::configure(schema, argc, argv)) return *exit_code;
  log_to_stderr(config.log_level);

  auto model = sida::model::ModelDirectory::open(config.model);
  if (!model) return fail_with(model.error());
  for (const std::string& warning : model->warnings()) spdlog::warn("model warning=\"{}\"", warning);

  const auto transport = sida::transport::make_zeromq_transport({});
  auto worker = sida::worker::ExpertWorker::start(config, *std::move(model), *transport);
  if (!worker) return fail_with(worker.error());

  running = worker->get();
  std::signal(SIGTERM, on_signal);
  std::signal(SIGINT, on_signal);
  const sida::proto::Welcome& welcome = (*worker)->welcome();
  spdlog::info(
      "ready name={} endpoint={} data_endpoint={} kernel={} slots={} expert_bytes={} experts_per_second={:.0f}",
      welcome.name, (*worker)->endpoint(), welcome.data_endpoint, welcome.kernel, welcome.capacity.slots,
      welcome.capacity.expert_bytes, welcome.capacity.experts_per_second);
  (*worker)->run();
  return 0;
}

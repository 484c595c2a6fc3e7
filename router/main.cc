// sida-router: three threads. HTTP takes requests and posts jobs to the router agent; the router agent composes steps
// and posts them to the trunk; the trunk computes, sends rows to the expert-workers and reads them back.
#include <spdlog/spdlog.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/config/configure.h"
#include "common/logging/logging.h"
#include "common/model/model_directory.h"
#include "common/runtime/shutdown_signal.h"
#include "common/runtime/wake_event.h"
#include "common/tokenizer/tokenizer.h"
#include "common/transport/keys/keyring.h"
#include "common/transport/transport.h"
#include "router/http/http_server.h"
#include "router/router_config.h"
#include "router/router_process.h"

namespace sida::router {
namespace {

ServedModel served_model(const RouterConfig& config, const model::ModelDirectory& model,
                         const tokenizer::Tokenizer* tokenizer, const std::vector<HeadWeights>& weights) {
  std::vector<ServedHead> heads;
  for (const HeadWeights& head : weights) heads.push_back({head.name, head.labels});
  return {.name = config.served_model_name.empty() ? std::filesystem::weakly_canonical(model.path()).filename().string()
                                                   : config.served_model_name,
          .tokenizer = tokenizer,
          .vocab_size = static_cast<std::int32_t>(model.config().vocab_size),
          .pad_token_id = model.config().pad_token_id,
          .eos_token_ids = model.config().eos_token_ids,
          .heads = std::move(heads)};
}

Result<void> serve(const RouterConfig& config) {
  auto model = model::ModelDirectory::open(config.model);
  if (!model) return tl::unexpected(std::move(model).error());
  for (const std::string& warning : model->warnings()) spdlog::warn("model warning=\"{}\"", warning);
  auto tokenizer = tokenizer::load_tokenizer(config.model);
  if (!tokenizer && tokenizer.error().code != ErrorCode::kNotFound) return tl::unexpected(tokenizer.error());

  const auto keyring = transport::Keyring::open({config.links.link_secret_key, config.links.link_allow});
  if (!keyring) return tl::unexpected(keyring.error());
  const auto transport = transport::make_host_transport({}, *keyring);
  auto router = RouterProcess::start(config, *model, *transport);
  if (!router) return tl::unexpected(std::move(router).error());
  auto server = HttpServer::listen(
      config.http, served_model(config, *model, tokenizer ? tokenizer->get() : nullptr, (*router)->heads()),
      (*router)->engine());
  if (!server) return tl::unexpected(std::move(server).error());

  WakeEvent ended;
  std::thread http_thread([&] {
    (*server)->run();
    ended.signal();
  });
  spdlog::info("ready port={} admin_port={} workers={}", (*server)->port(), (*server)->admin_port(),
               config.workers.size());
  spdlog::info("draining signal={} grace_ms={}", wait_for_shutdown_signal(), config.http.shutdown_grace.count());
  (*server)->drain(config.http.shutdown_grace);
  if (const auto second = wait_for_shutdown_signal(ended.descriptor())) {
    spdlog::info("stopping signal={}", *second);
    (*server)->stop();
  }
  http_thread.join();
  router->reset();  // Before the server goes: its last answers are posted there.
  return {};
}

}  // namespace
}  // namespace sida::router

int main(int argc, char** argv) {
  sida::router::RouterConfig config;
  auto schema = sida::router::describe(config);
  if (const auto code = sida::config::configure(schema, argc, argv)) return *code;
  if (const auto logging = sida::start_logging("router", config.log_level, config.log_format); !logging) {
    return sida::exit_code_of(logging);
  }
  // Before any thread starts, so that every thread inherits the mask.
  sida::block_shutdown_signals();
  return sida::exit_code_of(sida::router::serve(config));
}

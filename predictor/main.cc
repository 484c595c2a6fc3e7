// sida-predictor: one thread that reads a control link, runs the hash function and answers. main waits for the end.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <thread>

#include "common/base/random_id.h"
#include "common/base/version.h"
#include "common/config/configure.h"
#include "common/logging/logging.h"
#include "common/runtime/shutdown_signal.h"
#include "common/runtime/wake_event.h"
#include "common/transport/keys/keyring.h"
#include "common/transport/transport.h"
#include "predictor/core/predictor_agent.h"
#include "predictor/hash/predictor_directory.h"
#include "predictor/predictor_config.h"

namespace sida::predictor {
namespace {

Result<void> run(const PredictorConfig& config) {
  SIDA_TRY(start_logging(config.name, config.log_level, config.log_format));
  const auto model = model::ModelDirectory::open(config.model);
  if (!model) return tl::unexpected(model.error());
  auto function = open_hash_function(config.predictor, served_model(*model));
  // One of another model is as invalid here as a damaged one: exit code 3, as of `sida check`.
  if (!function) return fail(ErrorCode::kInvalidModel, function.error().message);
  const auto keyring = transport::Keyring::open({config.links.link_secret_key, config.links.link_allow});
  if (!keyring) return tl::unexpected(keyring.error());
  const auto transport = transport::make_zeromq_transport({}, *keyring);
  auto link = transport->serve_control(config.listen);
  if (!link) return fail_at("listen", link.error());

  const PredictorIdentity identity{.incarnation = WorkerId{random_id()},
                                   .name = config.name,
                                   .software_version = std::string(version()),
                                   .model = model->fingerprint(),
                                   .process_id = static_cast<std::uint32_t>(getpid())};
  spdlog::info("ready endpoint={} model={} kind={}", (*link)->endpoint(), model::to_hex(model->fingerprint()),
               (*function)->info().kind);
  PredictorAgent agent(identity, std::move(*function), std::move(*link), {}, *keyring, AliveFile(config.alive_file));
  WakeEvent stop;
  std::thread thread([&] { agent.run(stop.descriptor()); });
  const std::string signal = wait_for_shutdown_signal();
  spdlog::info("stopping signal={}", signal);
  stop.signal();
  thread.join();
  spdlog::info("stopped {}", agent.summary(steady_now()));
  return {};
}

}  // namespace
}  // namespace sida::predictor

int main(int argc, char** argv) {
  sida::block_shutdown_signals();
  sida::predictor::PredictorConfig config;
  auto schema = sida::predictor::describe(config);
  if (const auto exit_code = sida::config::configure(schema, argc, argv)) return *exit_code;
  return sida::exit_code_of(sida::predictor::run(config));
}

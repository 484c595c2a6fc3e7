#include "expert-worker/expert_worker.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "common/base/random_id.h"
#include "common/base/version.h"
#include "common/model/compute_dtype.h"

namespace sida::worker {
namespace {

// Row bytes that one router may have in flight here: about two of its largest parts.
constexpr std::uint64_t kCreditBytes = 32U << 20U;
constexpr std::chrono::milliseconds kMeasureTime{20};

struct Measured {
  double experts_per_second = 0;
  std::chrono::microseconds load_time{0};
};

// Reads and computes one expert, so that placement and estimates start from this machine's figures. It proves at the
// same time that the model can be read.
Result<Measured> measure(ExpertLoader loader, const SlotMemory& memory, compute::Backend& backend) {
  const SlotId slot{0};
  const TimePoint started = steady_now();
  SIDA_TRY(loader.load({LayerId{0}, ExpertId{0}}, slot));
  const auto load_time = std::chrono::duration_cast<std::chrono::microseconds>(steady_now() - started);
  return Measured{measure_experts_per_second(backend, memory, slot, kMeasureTime), load_time};
}

// Nothing for a directory as Hugging Face writes it.
Result<std::optional<store::StoreFile>> open_store(const model::ModelDirectory& model) {
  if (model.store() == nullptr) return std::nullopt;
  auto file = store::StoreFile::open(model);
  if (!file) return tl::unexpected(std::move(file).error());
  spdlog::info("store opened reads={} direct_gb_per_s={:.2f} buffered_gb_per_s={:.2f} experts={} bytes={}",
               store::name(file->method()), file->rates().direct.value_or(0) / 1e9,
               file->rates().buffered.value_or(0) / 1e9, model.store()->geometry.experts(),
               model.store()->geometry.data_bytes());
  return *std::move(file);
}

// The one that every router can use, and after it the one for routers on this host, if there is one.
Result<std::vector<std::unique_ptr<transport::TensorServer>>> serve_tensors(const WorkerConfig& config,
                                                                            transport::Transport& transport) {
  std::vector<std::unique_ptr<transport::TensorServer>> servers;
  std::vector<std::string> endpoints{data_endpoint(config.listen, config.data_port)};
  const std::string shared_memory = shared_memory_endpoint(config.listen);
  if (config.tensor_channel != "zeromq" && !shared_memory.empty()) endpoints.push_back(shared_memory);
  for (const std::string& endpoint : endpoints) {
    auto server = transport.serve_tensors(endpoint);
    if (!server) return tl::unexpected(std::move(server).error());
    servers.push_back(*std::move(server));
  }
  return servers;
}

proto::Welcome make_welcome(const WorkerConfig& config, const model::ModelDirectory& model,
                            const compute::Capabilities& capabilities, const MemoryPlan& memory_plan,
                            const ExpertShape& shape, const Measured& measured) {
  proto::Welcome welcome;
  welcome.worker = WorkerId{random_id()};
  welcome.name = config.name;
  welcome.software_version = std::string(version());
  welcome.model = model.fingerprint();
  welcome.numerics_id = capabilities.numerics_id;
  welcome.capacity = {.memory_budget_bytes = memory_plan.budget_bytes,
                      .expert_bytes = shape.bytes(),
                      .slots = memory_plan.slots,
                      .experts_per_second = measured.experts_per_second,
                      .credit_bytes = kCreditBytes};
  welcome.kernel = capabilities.device + "/" + capabilities.kernel;
  welcome.process_id = static_cast<std::uint32_t>(getpid());
  return welcome;
}

}  // namespace

Result<std::unique_ptr<ExpertWorker>> ExpertWorker::start(const WorkerConfig& config, model::ModelDirectory model,
                                                          transport::Transport& transport,
                                                          std::shared_ptr<const transport::Keyring> keyring) {
  const model::ModelConfig& geometry = model.config();
  const std::int32_t layers = model.geometry().moe_layers();
  if (layers == 0) return fail(ErrorCode::kInvalidModel, model.path().string() + ": the model has no experts");
  auto dtype = model::compute_dtype(config.dtype, model);
  if (!dtype) return tl::unexpected(std::move(dtype).error());
  const ExpertShape shape{geometry.d_model, geometry.d_ff, *dtype};
  WorkerIdentity identity{.welcome = {},
                          .compute_dtype = *dtype,
                          .d_model = static_cast<std::uint32_t>(geometry.d_model),
                          .moe_layers = layers,
                          .experts_per_layer = static_cast<std::int32_t>(geometry.num_experts)};
  auto store_file = open_store(model);
  if (!store_file) return tl::unexpected(std::move(store_file).error());
  const std::size_t staging = ExpertLoader::staging_bytes(model, *dtype, *store_file ? &**store_file : nullptr);
  auto plan = plan_memory(config.expert_memory_bytes,
                          available_memory_bytes() / static_cast<std::uint64_t>(config.workers_on_host), staging,
                          shape.slot_bytes(), identity.experts_total());
  if (!plan) return tl::unexpected(std::move(plan).error());
  auto memory = SlotMemory::reserve(shape, plan->slots);
  if (!memory) return tl::unexpected(std::move(memory).error());
  auto backend = compute::make_cpu_backend({.kernel = config.cpu_kernel, .threads = static_cast<int>(config.threads)});
  if (!backend) return tl::unexpected(std::move(backend).error());

  std::unique_ptr<ExpertWorker> worker(new ExpertWorker(std::move(model), *std::move(store_file), *std::move(memory)));
  const ExpertLoader loader(worker->model_, worker->memory_, worker->store_file());
  auto measured = measure(loader, worker->memory_, **backend);
  if (!measured) return tl::unexpected(std::move(measured).error());
  auto control = transport.serve_control(config.listen);
  if (!control) return fail_at("listen", std::move(control).error());
  auto tensors = serve_tensors(config, transport);
  if (!tensors) return fail_at("listen", std::move(tensors).error());

  identity.welcome = make_welcome(config, worker->model_, (*backend)->capabilities(), *plan, shape, *measured);
  identity.welcome.data_endpoint = tensors->front()->endpoint();
  identity.welcome.channel = identity.welcome.data_endpoint.starts_with("inproc:") ? proto::ChannelKind::kInProcess
                                                                                   : proto::ChannelKind::kZeroMq;
  if (tensors->size() > 1) identity.welcome.shared_memory_endpoint = tensors->back()->endpoint();
  worker->welcome_ = identity.welcome;
  worker->endpoint_ = (*control)->endpoint();
  worker->compute_ = std::make_unique<ComputeAgent>(*std::move(backend), worker->memory_, worker->events_);
  worker->store_ = std::make_unique<StoreAgent>(loader, worker->events_);
  WorkerCore core(std::move(identity),
                  {.eviction = eviction_of(config.eviction),
                   .prefetch = prefetch_mode_of(config.prefetch),
                   .read_pieces = loader.pieces(),
                   .first_load_time = measured->load_time},
                  steady_now());
  worker->link_ = std::make_unique<LinkAgent>(
      std::move(core),
      LinkAgent::Parts{*std::move(control), TensorServers(*std::move(tensors)), *worker->compute_, *worker->store_,
                       worker->events_, std::move(keyring), AliveFile(config.alive_file)},
      config.drain_grace);
  return worker;
}

}  // namespace sida::worker

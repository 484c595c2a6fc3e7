// One expert-worker, assembled: memory, threads and links. What main runs, and tests run in their own process.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/model/model_directory.h"
#include "common/store/store_file.h"
#include "common/transport/transport.h"
#include "expert-worker/agents/compute_agent.h"
#include "expert-worker/agents/link_agent.h"
#include "expert-worker/agents/store_agent.h"
#include "expert-worker/residency/slot_memory.h"
#include "expert-worker/worker_config.h"

namespace sida::worker {

class ExpertWorker {
 public:
  // Measures speed, binds both servers and starts the threads. `model` is shared with nobody who writes. `keyring`: the
  // transport's, if it has one.
  static Result<std::unique_ptr<ExpertWorker>> start(const WorkerConfig& config, model::ModelDirectory model,
                                                     transport::Transport& transport,
                                                     std::shared_ptr<const transport::Keyring> keyring = nullptr);

  // Serves on the calling thread until stop() and the end of what is in flight.
  void run() { link_->run(); }
  // Any thread, and safe in a signal handler.
  void stop() { link_->stop(); }

  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
  [[nodiscard]] const proto::Welcome& welcome() const { return welcome_; }

 private:
  ExpertWorker(model::ModelDirectory model, std::optional<store::StoreFile> store, SlotMemory memory)
      : model_(std::move(model)), store_file_(std::move(store)), memory_(std::move(memory)) {}
  [[nodiscard]] const store::StoreFile* store_file() const { return store_file_ ? &*store_file_ : nullptr; }

  // In this order: what is used later in the list must outlive what uses it.
  model::ModelDirectory model_;
  std::optional<store::StoreFile> store_file_;
  SlotMemory memory_;
  WorkerEvents events_{1024};  // The core has a handful of orders under way.
  std::unique_ptr<ComputeAgent> compute_;
  std::unique_ptr<StoreAgent> store_;
  std::unique_ptr<LinkAgent> link_;
  std::string endpoint_;
  proto::Welcome welcome_;
};

}  // namespace sida::worker

// The thread that reads experts from disk into slots, one after another.
#pragma once

#include <optional>
#include <thread>

#include "common/runtime/mailbox.h"
#include "expert-worker/agents/worker_events.h"
#include "expert-worker/residency/expert_loader.h"

namespace sida::worker {

class StoreAgent {
 public:
  // `loader` and `events` outlive the agent.
  StoreAgent(ExpertLoader loader, WorkerEvents& events);
  ~StoreAgent();  // Ends after the read in progress.
  StoreAgent(const StoreAgent&) = delete;
  StoreAgent& operator=(const StoreAgent&) = delete;

  // Any thread. The core bounds how many are under way.
  void load(const LoadExpert& order);

 private:
  void run();

  ExpertLoader loader_;
  WorkerEvents& events_;
  Mailbox<std::optional<LoadExpert>> orders_{64};  // Nothing: stop.
  std::thread thread_;
};

}  // namespace sida::worker

// The thread that reads experts from disk into slots, piece by piece, in the order of a LoadQueue.
#pragma once

#include <map>
#include <optional>
#include <thread>
#include <variant>

#include "common/runtime/mailbox.h"
#include "expert-worker/agents/worker_events.h"
#include "expert-worker/residency/expert_loader.h"
#include "expert-worker/residency/load_queue.h"

namespace sida::worker {

class StoreAgent {
 public:
  using Order = std::variant<LoadExpert, DemandLoad, CancelLoad>;

  // `loader` and `events` outlive the agent.
  StoreAgent(ExpertLoader loader, WorkerEvents& events);
  ~StoreAgent();  // Ends after the piece in progress.
  StoreAgent(const StoreAgent&) = delete;
  StoreAgent& operator=(const StoreAgent&) = delete;

  // Any thread. The core bounds how many are under way. Every LoadExpert is answered by a LoadEnded.
  void order(const Order& order);

 private:
  struct Load {
    ExpertLoad load;
    std::chrono::microseconds took{0};  // Of its pieces; not while others were read.
  };

  void run();
  void take(const Order& order);
  void read_piece(SlotId slot);
  void end(SlotId slot, Result<void> outcome);

  ExpertLoader loader_;
  WorkerEvents& events_;
  LoadQueue queue_;
  std::map<SlotId, Load> loads_;               // Those in the queue.
  Mailbox<std::optional<Order>> orders_{256};  // Nothing: stop.
  std::thread thread_;
};

}  // namespace sida::worker

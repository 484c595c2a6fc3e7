// The trunk's thread: takes steps from its mailbox, runs their coroutines, and reads and writes the tensor channels
// itself, so that no other thread stands between a gate and the wire.
#pragma once

#include <functional>
#include <memory>

#include "common/compute/backend.h"
#include "common/runtime/latest.h"
#include "common/runtime/mailbox.h"
#include "common/transport/transport.h"
#include "router/trunk/remote_experts.h"
#include "router/trunk/step.h"
#include "router/trunk/step_runner.h"
#include "router/trunk/trunk_weights.h"

namespace sida::router {

class TrunkAgent {
 public:
  // References outlive the agent. `done` is called on the trunk's thread and must not block.
  TrunkAgent(const TrunkWeights& weights, compute::Backend& backend, transport::Transport& transport,
             RemoteExperts::Options options, RoutingOptions routing, std::function<void(StepDone)> done);

  // Any thread. The router agent has at most one step under way, so the mailbox is never full; members, which may
  // change often while a step computes, replace those not taken yet.
  void post(TrunkCommand command);

  // The calling thread becomes the trunk's; returns after TrunkStop, once the step under way has ended or 2 s have
  // passed.
  void run();

 private:
  bool take_commands();
  bool let_paused_go_on(bool step_done);

  Mailbox<TrunkCommand> mailbox_;
  Latest<TrunkMembers> members_;
  RemoteExperts experts_;
  StepRunner runner_;
  std::function<void(StepDone)> done_;
  TimePoint stop_at_ = TimePoint::max();
};

}  // namespace sida::router

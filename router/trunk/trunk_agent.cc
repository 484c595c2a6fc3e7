#include "router/trunk/trunk_agent.h"

#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "common/runtime/waiter.h"

namespace sida::router {
namespace {

constexpr std::size_t kMailboxCapacity = 16;
constexpr std::chrono::seconds kStopGrace{2};
constexpr std::chrono::seconds kIdleWait{1};

}  // namespace

TrunkAgent::TrunkAgent(const TrunkWeights& weights, compute::Backend& backend, transport::Transport& transport,
                       RemoteExperts::Options options, RoutingOptions routing, std::function<void(StepDone)> done)
    : mailbox_(kMailboxCapacity),
      experts_(transport, std::move(options)),
      runner_(weights, backend, experts_, routing),
      done_(std::move(done)) {}

void TrunkAgent::post(TrunkCommand command) {
  if (auto* members = std::get_if<TrunkMembers>(&command)) {
    members_.set(std::move(*members));
  } else {
    SIDA_CHECK(mailbox_.post(std::move(command)));
  }
}

bool TrunkAgent::take_commands() {
  bool any = false;
  if (const auto members = members_.take()) {
    experts_.set_workers(members->workers);
    any = true;
  }
  while (auto command = mailbox_.take()) {
    any = true;
    if (auto* step = std::get_if<TrunkStep>(&*command)) {
      runner_.start(std::move(*step));
    } else {
      stop_at_ = steady_now() + kStopGrace;
    }
  }
  return any;
}

// A long batch gets a turn between two steps of the others, not at each of their waits for experts: those are many and
// short. When there are no others, it goes on at once.
bool TrunkAgent::let_paused_go_on(bool step_done) {
  if (experts_.paused() == 0 || (!step_done && runner_.coroutines() > experts_.paused())) return false;
  experts_.resume_paused();
  return true;
}

void TrunkAgent::run() {
  const c10::InferenceMode inference;
  while (steady_now() < stop_at_) {
    bool active = take_commands();
    active |= experts_.poll(steady_now());
    active |= experts_.resume_ready();
    auto done = runner_.take_done();
    const bool step_done = done.has_value();
    if (done) {
      done->dispatch = experts_.counters();
      done->malformed_messages = experts_.malformed_messages();
      done_(std::move(*done));
      active = true;
    }
    active |= let_paused_go_on(step_done);
    if (stop_at_ != TimePoint::max() && !runner_.running()) return;
    if (active) continue;
    auto descriptors = experts_.wake_descriptors();
    descriptors.push_back(mailbox_.wake_descriptor());
    descriptors.push_back(members_.wake_descriptor());
    wait_readable(descriptors, std::min({experts_.next_deadline(), stop_at_, steady_now() + kIdleWait}));
  }
}

}  // namespace sida::router

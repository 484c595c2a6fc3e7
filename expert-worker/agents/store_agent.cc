#include "expert-worker/agents/store_agent.h"

#include <array>

#include "common/runtime/clock.h"
#include "common/runtime/waiter.h"

namespace sida::worker {

StoreAgent::StoreAgent(ExpertLoader loader, WorkerEvents& events)
    : loader_(std::move(loader)), events_(events), thread_([this] { run(); }) {}

StoreAgent::~StoreAgent() {
  SIDA_CHECK(orders_.post(std::nullopt));
  thread_.join();
}

void StoreAgent::load(const LoadExpert& order) {
  SIDA_CHECK(orders_.post(order));
}

void StoreAgent::run() {
  const std::array<int, 1> wake{orders_.wake_descriptor()};
  while (true) {
    auto order = orders_.take();
    if (!order) {
      wait_readable(wake, TimePoint::max());
      continue;
    }
    if (!*order) return;
    const TimePoint started = steady_now();
    Result<void> outcome = loader_.load((*order)->key, (*order)->slot);
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(steady_now() - started);
    SIDA_CHECK(events_.post(LoadEnded{(*order)->slot, std::move(outcome), took}));
  }
}

}  // namespace sida::worker

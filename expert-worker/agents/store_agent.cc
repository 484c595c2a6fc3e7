#include "expert-worker/agents/store_agent.h"

#include <array>
#include <utility>

#include "common/runtime/clock.h"
#include "common/runtime/waiter.h"

namespace sida::worker {

StoreAgent::StoreAgent(ExpertLoader loader, WorkerEvents& events)
    : loader_(std::move(loader)), events_(events), thread_([this] { run(); }) {}

StoreAgent::~StoreAgent() {
  SIDA_CHECK(orders_.post(std::nullopt));
  thread_.join();
}

void StoreAgent::order(const Order& order) {
  SIDA_CHECK(orders_.post(order));
}

void StoreAgent::run() {
  const std::array<int, 1> wake{orders_.wake_descriptor()};
  while (true) {
    while (auto order = orders_.take()) {
      if (!*order) return;
      take(**order);
    }
    if (const auto next = queue_.next()) {
      read_piece(next->slot);
    } else {
      wait_readable(wake, TimePoint::max());
    }
  }
}

void StoreAgent::take(const Order& order) {
  if (const auto* load = std::get_if<LoadExpert>(&order)) {
    queue_.add(*load);
    loads_.emplace(load->slot, Load{loader_.begin(load->key, load->slot)});
  } else if (const auto* demand = std::get_if<DemandLoad>(&order)) {
    queue_.demand(demand->slot);
  } else {
    const SlotId slot = std::get<CancelLoad>(order).slot;
    if (loads_.contains(slot)) end(slot, fail(ErrorCode::kCancelled, "nobody expects it any more"));
  }
}

void StoreAgent::read_piece(SlotId slot) {
  Load& load = loads_.at(slot);
  const TimePoint started = steady_now();
  const Result<bool> whole = loader_.step(load.load);
  load.took += std::chrono::duration_cast<std::chrono::microseconds>(steady_now() - started);
  if (!whole) return end(slot, tl::unexpected(whole.error()));
  if (*whole) end(slot, {});
}

void StoreAgent::end(SlotId slot, Result<void> outcome) {
  queue_.remove(slot);
  const auto load = loads_.extract(slot);
  if (!outcome) loader_.abandon(load.mapped().load);
  SIDA_CHECK(events_.post(LoadEnded{slot, std::move(outcome), load.mapped().took}));
}

}  // namespace sida::worker

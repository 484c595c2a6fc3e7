#include "expert-worker/replay/simulated_worker.h"

#include <algorithm>

namespace sida::worker::replay {
namespace {

constexpr PeerId kControl{1};
constexpr PeerId kTensor{2};
constexpr RouterId kRouter{1};

WorkerIdentity identity(const Routes& routes, std::uint32_t slots) {
  WorkerIdentity result;
  result.welcome.worker = WorkerId{1};
  result.welcome.name = "worker-0";
  result.welcome.capacity = {.expert_bytes = 1, .slots = slots, .experts_per_second = 1};
  result.d_model = 1;
  result.moe_layers = routes.moe_layers;
  result.experts_per_layer = routes.experts_per_layer;
  return result;
}

WorkerLimits limits(const ReplayOptions& options) {
  WorkerLimits result{.eviction = options.eviction,
                      .prefetch = options.prefetch,
                      .read_pieces = static_cast<std::size_t>(options.pieces),
                      .first_load_time = options.read_time};
  if (options.knowledge == Knowledge::kOracle) {  // It knows more than any router, and forgets nothing.
    result.prefetch_max = std::size_t{1} << 24U;
    result.expected_for = std::chrono::hours(1000);
  }
  return result;
}

}  // namespace

SimulatedWorker::SimulatedWorker(const Routes& routes, const ReplayOptions& options)
    : options_(options), core_(identity(routes, options.slots), limits(options), now_) {
  SIDA_CHECK(options.pieces > 0);
  proto::Hello hello;
  hello.router = kRouter;
  apply(core_.control_message(kControl, hello, now_));
  apply(core_.tensor_message(kTensor, hello, now_));
  apply(core_.control_message(kControl, proto::Roster{.epoch = 1, .members = {}}, now_));  // It is alone.
  tick();
}

void SimulatedWorker::at(TimePoint time, std::function<void()> run) {
  events_.emplace(std::pair(time, ++last_event_), std::move(run));
}

bool SimulatedWorker::run_next() {
  if (events_.empty()) return false;
  auto event = events_.extract(events_.begin());
  now_ = std::max(now_, event.key().first);
  event.mapped()();
  return true;
}

void SimulatedWorker::run_until(TimePoint time) {
  while (!events_.empty() && events_.begin()->first.first <= time) run_next();
  now_ = std::max(now_, time);
}

void SimulatedWorker::run_until_idle() {
  while (events_.size() > ticks_) run_next();
}

void SimulatedWorker::tick() {
  // Its router is never silent for long.
  apply(core_.control_message(kControl, proto::Heartbeat{}, now_));
  apply(core_.tick(0, now_));
  ++ticks_;
  at(core_.next_tick(), [this] {
    --ticks_;
    tick();
  });
}

void SimulatedWorker::advise(const proto::Prefetch& advice, TimePoint arrives) {
  at(arrives, [this, advice] { apply(core_.control_message(kControl, advice, now_)); });
}

void SimulatedWorker::forget(SequenceId sequence) {
  apply(core_.control_message(kControl, proto::Forget{sequence}, now_));
}

std::chrono::microseconds SimulatedWorker::call(const LayerCall& call) {
  if (call.needs.empty()) return {};
  proto::Dispatch dispatch{.id = {.router = kRouter, .step = StepId{1}, .layer = call.layer, .part = ++part_},
                           .groups = {},
                           .shape = {DType::kFloat32, 0, 1}};
  for (const Need& need : call.needs) {
    dispatch.groups.push_back({need.expert, need.rows});
    dispatch.shape.rows += need.rows;
  }
  answered_ = false;
  apply(core_.tensor_message(kTensor, dispatch, now_));
  while (!answered_ && run_next()) {
  }
  SIDA_CHECK(answered_);
  return options_.compute_time * static_cast<std::int64_t>(call.needs.size());
}

void SimulatedWorker::apply(const WorkerActions& actions) {
  for (const WorkerAction& action : actions) {
    if (const auto* load = std::get_if<LoadExpert>(&action)) {
      begin_load(*load);
    } else if (const auto* demand = std::get_if<DemandLoad>(&action)) {
      disk_.demand(demand->slot);
    } else if (const auto* cancel = std::get_if<CancelLoad>(&action)) {
      at(now_, [this, slot = cancel->slot] {
        if (loads_.contains(slot)) end_load(slot, fail(ErrorCode::kCancelled, "nobody expects it any more"));
      });
    } else if (const auto* work = std::get_if<ComputeGroups>(&action)) {
      compute(*work);
    } else if (std::holds_alternative<FinishJob>(action)) {
      answered_ = true;
    }
  }
}

void SimulatedWorker::begin_load(const LoadExpert& order) {
  disk_.add(order);
  loads_.emplace(order.slot, Load{order.key});
  if (!reading_) read_on();
}

void SimulatedWorker::read_on() {
  const auto order = disk_.next();
  reading_ = order.has_value();
  if (!order) return;
  at(now_ + options_.read_time / options_.pieces, [this, order = *order] {
    ++pieces_read_;
    const auto found = loads_.find(order.slot);
    const bool here = found != loads_.end() && found->second.key == order.key;  // Else it was cancelled meanwhile.
    if (here && ++found->second.pieces == options_.pieces) end_load(order.slot, {});
    read_on();
  });
}

void SimulatedWorker::end_load(SlotId slot, const Result<void>& outcome) {
  disk_.remove(slot);
  const auto load = loads_.extract(slot);
  const auto took = options_.read_time / options_.pieces * load.mapped().pieces;
  apply(core_.load_ended(slot, outcome, std::chrono::duration_cast<std::chrono::microseconds>(took), now_));
}

void SimulatedWorker::compute(const ComputeGroups& work) {
  const auto took = options_.compute_time * static_cast<std::int64_t>(work.groups.size());
  compute_free_ = std::max(compute_free_, now_) + took;
  at(compute_free_, [this, work, took] { apply(core_.compute_ended(work.job, work.groups, took, now_)); });
}

}  // namespace sida::worker::replay

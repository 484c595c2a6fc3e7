#include "tests/sim/sim_worker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace sida::sim {
namespace {

using std::chrono::microseconds;

worker::WorkerIdentity identity(const SimMachine& machine, const SimModel& model, WorkerId id) {
  worker::WorkerIdentity result;
  result.welcome.worker = id;
  result.welcome.name = machine.name;
  result.welcome.data_endpoint = "sim://" + machine.name;
  result.welcome.numerics_id = machine.numerics_id;
  result.welcome.capacity = {.memory_budget_bytes = machine.slots * 100,
                             .expert_bytes = 100,
                             .slots = machine.slots,
                             .experts_per_second = 1e6 / static_cast<double>(machine.row_time.count()),
                             .credit_bytes = machine.credit_bytes};
  result.d_model = kColumns;
  result.moe_layers = model.layers;
  result.experts_per_layer = model.experts;
  return result;
}

constexpr ExpertKey kNothing{LayerId{-1}, ExpertId{-1}};

}  // namespace

SimWorker::SimWorker(EventLoop& loop, SimRandom& random, Network& network, const SimMachine& machine,
                     const SimModel& model, WorkerId id)
    : loop_(loop),
      random_(random),
      network_(network),
      machine_(machine),
      core_(identity(machine, model, id), {.first_load_time = machine.load_time}, loop.now()),
      memory_(machine.slots, kNothing) {
  network_.listen(machine_.name, this);
  schedule(loop_.now(), [this] { tick(); });
}

SimWorker::~SimWorker() {
  *alive_ = false;
  network_.listen(machine_.name, nullptr);
}

// Runs unless the process is dead by then; a frozen one runs it when it thaws.
void SimWorker::schedule(TimePoint time, std::function<void()> run) {
  loop_.at(time, [this, alive = alive_, run = std::move(run)]() mutable {
    if (!*alive) return;
    if (loop_.now() < frozen_until_) {
      schedule(frozen_until_, std::move(run));
    } else {
      run();
    }
  });
}

void SimWorker::tick() {
  apply(core_.tick(progress_, loop_.now()));
  schedule(core_.next_tick(), [this] { tick(); });
}

void SimWorker::drain() {
  schedule(loop_.now(), [this] { apply(core_.drain(loop_.now())); });
}

void SimWorker::receive(PeerId peer, LinkKind kind, Packet packet) {
  schedule(loop_.now(), [this, peer, kind, packet = std::move(packet)] { take(peer, kind, packet); });
}

void SimWorker::take(PeerId peer, LinkKind kind, const Packet& packet) {
  if (kind == LinkKind::kControl) {
    apply(core_.control_message(peer, packet.message, loop_.now()));
  } else {
    arriving_ = packet.rows;
    apply(core_.tensor_message(peer, packet.message, loop_.now(), packet.deadline));
  }
}

void SimWorker::apply(const worker::WorkerActions& actions) {
  for (const worker::WorkerAction& action : actions) std::visit([this](const auto& what) { apply(what); }, action);
}

void SimWorker::apply(const worker::SendControl& action) {
  network_.to_client(action.peer, {action.message, {}});
}

void SimWorker::apply(const worker::SendTensor& action) {
  network_.to_client(action.peer, {action.message, {}});
}

void SimWorker::apply(const worker::AdmitJob& action) {
  auto rows = std::make_shared<JobRows>();
  rows->output.assign(arriving_.size(), 0);
  rows->input = std::move(arriving_);
  EXPECT_TRUE(rows_.emplace(action.job, std::move(rows)).second);
}

void SimWorker::apply(const worker::LoadExpert& action) {
  const bool slow = random_.chance(2);
  const microseconds time = random_.between(machine_.load_time / 2, machine_.load_time * (slow ? 50 : 2));
  const int pieces = static_cast<int>(random_.pick(1, 8));
  disk_.add(action);
  EXPECT_TRUE(loads_.emplace(action.slot, Load{action.key, pieces, time / pieces, {}}).second)
      << "evicted while it is read";
  memory_.at(action.slot.value) = kNothing;  // Half written from now on.
  if (!reading_) read_on();
}

void SimWorker::apply(const worker::DemandLoad& action) {
  disk_.demand(action.slot);
}

void SimWorker::apply(const worker::CancelLoad& action) {
  // The order takes its time to the disk's thread: the read may end before.
  schedule(loop_.now() + microseconds(5), [this, slot = action.slot] {
    if (loads_.contains(slot)) end_load(slot, fail(ErrorCode::kCancelled, "nobody expects it any more"));
  });
}

// One piece after another, each of what is wanted most by then.
void SimWorker::read_on() {
  const auto order = disk_.next();
  reading_ = order.has_value();
  if (!order) return;
  schedule(loop_.now() + loads_.at(order->slot).piece_time, [this, order = *order] {
    const auto found = loads_.find(order.slot);
    if (found != loads_.end() && found->second.key == order.key) {  // Else it was cancelled meanwhile.
      Load& load = found->second;
      load.took += load.piece_time;
      const bool damaged = machine_.damaged.contains(order.key);
      const bool whole = --load.pieces_left <= 0;
      if (whole && !damaged) memory_.at(order.slot.value) = order.key;
      if (damaged) {
        end_load(order.slot, fail(ErrorCode::kIo, "damaged expert"));
      } else if (whole) {
        end_load(order.slot, {});
      }
    }
    read_on();
  });
}

void SimWorker::end_load(worker::SlotId slot, const Result<void>& outcome) {
  disk_.remove(slot);
  const auto load = loads_.extract(slot);
  apply(core_.load_ended(slot, outcome, load.mapped().took, loop_.now()));
}

void SimWorker::apply(const worker::ComputeGroups& action) {
  if (stuck_) return;
  microseconds took{50};
  std::vector<ExpertKey> experts;
  for (const worker::GroupWork& group : action.groups) {
    took += machine_.row_time * group.rows;
    experts.push_back(memory_.at(group.slot.value));
  }
  compute_free_ = std::max(compute_free_, loop_.now()) + took;
  schedule(compute_free_, [this, action, rows = rows_.at(action.job), experts, took] {
    if (!stuck_) finish_compute(action, rows, experts, took);
  });
}

void SimWorker::finish_compute(const worker::ComputeGroups& work, const std::shared_ptr<JobRows>& rows,
                               const std::vector<ExpertKey>& experts, microseconds took) {
  for (std::size_t i = 0; i < work.groups.size(); ++i) {
    const worker::GroupWork& group = work.groups[i];
    EXPECT_EQ(memory_.at(group.slot.value), experts[i]) << "evicted while in use";
    for (std::uint32_t row = group.first_row; row < group.first_row + group.rows; ++row) {
      rows->output.at(row) = compute_row(experts[i], rows->input.at(row));
    }
  }
  ++progress_;
  apply(core_.compute_ended(work.job, work.groups, took, loop_.now()));
}

void SimWorker::apply(const worker::FinishJob& action) {
  auto rows = rows_.extract(action.job);
  ASSERT_FALSE(rows.empty());
  network_.to_client(action.peer, {action.result, rows.mapped()->output});
}

void SimWorker::apply(const worker::DropJob& action) {
  EXPECT_EQ(rows_.erase(action.job), 1U);
}

}  // namespace sida::sim

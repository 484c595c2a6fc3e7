#include "tests/sim/sim_router.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace sida::sim {

using std::chrono::milliseconds;

SimRouter::SimRouter(EventLoop& loop, SimRandom& random, Network& network, const SimModel& model, RouterId id)
    : loop_(loop),
      random_(random),
      network_(network),
      model_(model),
      core_(id, kRowBytes, model.experts_total(), router::DispatchLimits{.part_bytes_max = 64 * kRowBytes}) {
  hello_.router = id;
  loop_.at(loop_.now(), [this] { tick(); });
}

void SimRouter::add_worker(const std::string& name) {
  const std::size_t index = peers_.size();
  const PeerId control = network_.connect(name, LinkKind::kControl,
                                          [this, index](const Packet& packet) { receive_control(index, packet); });
  peers_.push_back(
      {name, router::PeerCore(router::PeerRole::kWorker, name, hello_), control, std::nullopt, WorkerId{}});
}

// The router's loop: heartbeats of its peers, deadlines of its dispatches.
void SimRouter::tick() {
  bool changed = false;
  for (Peer& peer : peers_) {
    for (const proto::Message& message : peer.core.tick(loop_.now())) network_.to_server(peer.control, {message, {}});
    changed |= peer.core.take_changed();
  }
  if (changed) members_changed();
  loop_.after(kHeartbeatInterval / 2, [this] { tick(); });
}

// Deadlines of the dispatch core come on time, not only at the next heartbeat.
void SimRouter::arm() {
  const TimePoint next = core_.next_deadline();
  if (next >= armed_ || next == TimePoint::max()) return;
  armed_ = next;
  loop_.at(next, [this] {
    armed_ = TimePoint::max();
    apply(core_.tick(loop_.now()));
  });
}

void SimRouter::receive_control(std::size_t index, const Packet& packet) {
  if (peers_[index].core.received(packet.message, loop_.now())) members_changed();
}

void SimRouter::members_changed() {
  std::vector<proto::Member> members;
  proto::Roster roster{.epoch = ++epoch_, .members = {}};
  for (Peer& peer : peers_) {
    const bool draining = peer.core.state() == router::PeerState::kDraining;
    if (!peer.core.ready() && !draining) {
      if (peer.tensor) network_.close(*peer.tensor);
      peer.tensor.reset();
      continue;
    }
    const proto::Welcome& welcome = *peer.core.welcome();
    if (!peer.tensor || peer.tensor_worker != welcome.worker) {
      if (peer.tensor) network_.close(*peer.tensor);
      const WorkerId worker = welcome.worker;
      peer.tensor = network_.connect(peer.name, LinkKind::kTensor,
                                     [this, worker](const Packet& packet) { receive_tensor(worker, packet); });
      peer.tensor_worker = worker;
      network_.to_server(*peer.tensor, {hello_, {}});
    }
    roster.members.push_back(
        {welcome.worker, welcome.name, welcome.capacity, welcome.numerics_id, welcome.covered_layers, draining});
  }
  for (Peer& peer : peers_) {
    if (peer.core.ready()) network_.to_server(peer.control, {roster, {}});
  }
  apply(core_.members_changed(roster.members, loop_.now()));
}

void SimRouter::receive_tensor(WorkerId worker, const Packet& packet) {
  result_rows_ = &packet.rows;
  if (const auto* result = std::get_if<proto::DispatchResult>(&packet.message)) {
    apply(core_.result(worker, *result, loop_.now()));
  } else if (const auto* failure = std::get_if<proto::DispatchFailure>(&packet.message)) {
    apply(core_.failure(worker, *failure, loop_.now()));
  } else if (const auto* estimate = std::get_if<proto::Estimate>(&packet.message)) {
    core_.estimate(worker, *estimate, loop_.now());
    arm();
  }
  result_rows_ = nullptr;
}

void SimRouter::start_batch(std::size_t rows, int calls, Duration patience) {
  RowValues values;
  for (std::size_t i = 0; i < rows; ++i) values.push_back(random_.pick(1, 1U << 30U));
  start_call(std::move(values), calls, patience);
}

// Of every kind: right, wrong, and for a worker that will not be asked.
void SimRouter::advise() {
  for (Peer& peer : peers_) {
    if (!peer.core.ready() || !random_.chance(50)) continue;
    const SequenceId sequence{random_.pick(1, 4)};
    if (random_.chance(20)) network_.to_server(peer.control, {proto::Forget{sequence}, {}});
    proto::Prefetch advice{.sequence = sequence, .step = static_cast<std::uint32_t>(random_.pick(0, 3)), .items = {}};
    for (std::uint64_t items = random_.pick(1, 8); items > 0; --items) {
      const LayerId layer{static_cast<std::int32_t>(random_.pick(0, static_cast<std::uint64_t>(model_.layers) - 1))};
      const ExpertId expert{static_cast<std::int32_t>(random_.pick(0, static_cast<std::uint64_t>(model_.experts) - 1))};
      advice.items.push_back({{layer, expert}, static_cast<std::uint32_t>(random_.pick(1, 5))});
    }
    network_.to_server(peer.control, {std::move(advice), {}});
  }
}

void SimRouter::start_call(RowValues rows, int calls_left, Duration patience) {
  advise();
  const router::CallId id{++last_call_};
  Call call;
  call.layer = LayerId{static_cast<std::int32_t>(last_call_ % static_cast<std::uint64_t>(model_.layers))};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    // Skewed, as real routes are; a few rows have no expert.
    const auto limit = static_cast<std::uint64_t>(model_.experts - 1);
    const std::uint64_t expert = std::min(random_.pick(0, limit), random_.pick(0, limit));
    call.experts.push_back(random_.chance(3) ? -1 : static_cast<std::int32_t>(expert));
  }
  call.out.assign(rows.size(), 0);
  call.accepted.assign(rows.size(), 0);
  call.rows = std::move(rows);
  call.calls_left = calls_left;
  call.patience = patience;
  call.deadline = patience == Duration::zero() ? TimePoint::max() : loop_.now() + patience;
  const Call& started = calls_.emplace(id, std::move(call)).first->second;
  // Experts and deadline are copied: the call may end inside apply().
  const std::vector<std::int32_t> experts = started.experts;
  apply(core_.start(id, StepId{last_call_}, started.layer, experts, started.deadline, loop_.now()));
}

void SimRouter::apply(const router::DispatchActions& actions) {
  for (const router::DispatchAction& action : actions) std::visit([this](const auto& what) { apply(what); }, action);
  arm();
}

SimRouter::Peer* SimRouter::peer_of(WorkerId worker) {
  for (Peer& peer : peers_) {
    if (peer.tensor && peer.tensor_worker == worker) return &peer;
  }
  return nullptr;
}

void SimRouter::apply(const router::SendPart& action) {
  const router::Part& part = action.part;
  Peer* peer = peer_of(part.worker);
  ASSERT_NE(peer, nullptr);
  if (random_.pick(1, 1000) == 1) {  // The link is full.
    loop_.at(loop_.now(), [this, id = part.id] { apply(core_.send_refused(id, loop_.now())); });
    return;
  }
  const Call& call = calls_.at(part.call);
  Packet packet;
  packet.deadline = call.deadline;
  for (std::int32_t row : part.rows) packet.rows.push_back(call.rows.at(static_cast<std::size_t>(row)));
  packet.message =
      proto::Dispatch{part.id, part.groups, {DType::kFloat32, static_cast<std::uint32_t>(part.rows.size()), kColumns}};
  network_.to_server(*peer->tensor, std::move(packet));
}

void SimRouter::apply(const router::AcceptRows& action) {
  ASSERT_NE(result_rows_, nullptr);
  ASSERT_EQ(result_rows_->size(), action.rows.size());
  Call& call = calls_.at(action.call);
  for (std::size_t i = 0; i < action.rows.size(); ++i) {
    if (action.rows[i] < 0) continue;
    const auto row = static_cast<std::size_t>(action.rows[i]);
    EXPECT_EQ(++call.accepted.at(row), 1) << "accepted twice";
    call.out.at(row) = (*result_rows_)[i];
  }
}

void SimRouter::apply(const router::CancelPart& action) {
  Peer* peer = peer_of(action.worker);
  if (peer != nullptr) network_.to_server(*peer->tensor, {proto::Cancel{action.id}, {}});
}

void SimRouter::apply(const router::CompleteCall& action) {
  auto node = calls_.extract(action.call);
  ASSERT_FALSE(node.empty()) << "ended twice";
  Call& call = node.mapped();
  ++calls_ended_;
  for (std::size_t row = 0; row < call.rows.size(); ++row) {
    if (call.experts[row] < 0) {
      EXPECT_EQ(call.accepted[row], 0);
      call.out[row] = call.rows[row];  // The residual alone.
      continue;
    }
    EXPECT_EQ(call.accepted[row], 1);
    EXPECT_EQ(call.out[row], compute_row({call.layer, ExpertId{call.experts[row]}}, call.rows[row]))
        << "row computed by another expert";
  }
  if (call.calls_left <= 1) return;
  // The trunk computes attention in between.
  ++batches_starting_;
  loop_.after(random_.between(milliseconds(0), milliseconds(5)), [this, call = std::move(call)]() mutable {
    --batches_starting_;
    start_call(std::move(call.out), call.calls_left - 1, call.patience);
  });
}

void SimRouter::apply(const router::FailCall& action) {
  auto node = calls_.extract(action.call);
  ASSERT_FALSE(node.empty()) << "ended twice";
  ++calls_ended_;
  ++calls_failed_;
  if (action.error.code == ErrorCode::kDeadlineExceeded) {
    EXPECT_LE(node.mapped().deadline, loop_.now());
    EXPECT_LE(loop_.now() - node.mapped().deadline, milliseconds(1)) << "waited past its deadline";
  } else {
    EXPECT_EQ(action.error.code, ErrorCode::kUnavailable);
    EXPECT_TRUE(failures_allowed_) << "failed while a worker lives: " << action.error.message;
  }
}

}  // namespace sida::sim

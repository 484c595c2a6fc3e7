#include "expert-worker/agents/link_agent.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "common/proto/codec.h"
#include "common/runtime/waiter.h"

namespace sida::worker {
namespace {

// Messages taken from one link before the others get their turn.
constexpr int kBurst = 256;

transport::Frame encode(const proto::Message& message) {
  return transport::Frame::take(proto::encode({.header = {}, .message = message}));
}

// What --log-level debug shows of the order of advice, dispatches and reads.
void log_arrival(const proto::Message& message) {
  if (const auto* advice = std::get_if<proto::Prefetch>(&message)) {
    spdlog::debug("advice sequence={} step={} items={}", advice->sequence.value, advice->step, advice->items.size());
  } else if (const auto* dispatch = std::get_if<proto::Dispatch>(&message)) {
    spdlog::debug("dispatch layer={} experts={} rows={}", dispatch->id.layer.value, dispatch->groups.size(),
                  dispatch->shape.rows);
  }
}

TimePoint deadline_of(const proto::Header& header, TimePoint now) {
  constexpr std::chrono::microseconds kPassed{1};  // What the shortest time left means (docs/protocol.md).
  if (header.remaining == std::chrono::microseconds::zero()) return TimePoint::max();
  return header.remaining <= kPassed ? now : now + header.remaining;
}

}  // namespace

LinkAgent::LinkAgent(WorkerCore core, Parts parts, std::chrono::milliseconds drain_grace)
    : core_(std::move(core)), parts_(std::move(parts)), drain_grace_(drain_grace) {}

void LinkAgent::stop() {
  stopping_.store(true);
  stop_event_.signal();
}

void LinkAgent::run() {
  TimePoint end = TimePoint::max();
  const auto ended = [&] { return end != TimePoint::max() && (core_.drained() || steady_now() >= end); };
  while (!ended()) {
    const TimePoint now = steady_now();
    stop_event_.clear();
    if (stopping_.load() && end == TimePoint::max()) {
      spdlog::info("draining jobs={} grace_ms={}", core_.jobs(), drain_grace_.count());
      end = now + drain_grace_;
      apply(core_.drain(now));
    }
    active_ = false;
    drain_control(now);
    drain_tensors(now);
    drain_events(now);
    for (PeerId peer : std::exchange(gone_, {})) apply(core_.tensor_peer_gone(peer, now));
    if (parts_.keyring) {
      const transport::LinkRefusals refused = parts_.keyring->refusals();
      core_.links_refused(refused.unknown_keys, refused.handshakes);
    }
    apply(core_.tick(parts_.compute.progress(), now));
    parts_.alive.beat(parts_.compute.progress(), core_.computing(), now);
    tell_prefetching();
    // Descriptors of links are edge-triggered: wait only after a turn in which nothing was received or sent.
    if (active_ || ended()) continue;
    std::vector<int> wake{parts_.control->wake_descriptor(), parts_.events.wake_descriptor(), stop_event_.descriptor()};
    parts_.tensors.add_wake_descriptors(wake);
    wait_readable(wake, std::min(core_.next_tick(), end));
  }
  spdlog::info("stopped jobs_left={} deadlines_missed={}", core_.jobs(), core_.counters().deadlines_missed);
}

void LinkAgent::tell_prefetching() {
  const PrefetchAdmission& admission = core_.admission();
  if (std::exchange(prefetching_, admission.on()) == admission.on()) return;
  const WorkerCounters& counters = core_.counters();
  spdlog::info("prefetching {} reads={} ahead={} useful={} late={} wasted={} cancelled={}",
               admission.on() ? "is switched on" : "does not pay and is switched off", counters.loads,
               counters.prefetches, counters.prefetches_useful, counters.prefetches_late, counters.prefetches_wasted,
               counters.prefetches_cancelled);
}

void LinkAgent::drain_control(TimePoint now) {
  for (int taken = 0; taken < kBurst; ++taken) {
    auto received = parts_.control->receive();
    if (!received) return;
    active_ = true;
    auto envelope = proto::decode(received->message.bytes());
    if (envelope) {
      log_arrival(envelope->message);
      apply(core_.control_message(received->peer, envelope->message, now));
    } else {
      spdlog::warn("message dropped link=control error=\"{}\"", envelope.error().message);
      apply(core_.malformed(received->peer, envelope.error(), true));
    }
  }
}

void LinkAgent::drain_tensors(TimePoint now) {
  for (int taken = 0; taken < kBurst; ++taken) {
    auto received = parts_.tensors.receive();
    if (!received) return;
    active_ = true;
    take_tensor(*std::move(received), now);
  }
}

void LinkAgent::take_tensor(transport::TensorServer::Received received, TimePoint now) {
  auto envelope = proto::decode(received.message.envelope.bytes());
  Result<void> fits;
  if (!envelope) {
    fits = tl::unexpected(envelope.error());
  } else if (const auto* dispatch = std::get_if<proto::Dispatch>(&envelope->message)) {
    fits = proto::check_rows(dispatch->shape, received.message.rows.size());
    arriving_ = std::make_shared<JobRows>(JobRows{std::move(received.message.rows), {}, dispatch->shape});
  } else if (received.message.rows.size() > 0) {
    fits = fail(ErrorCode::kMalformedMessage, "rows beside a message that has none");
  }
  if (fits) {
    log_arrival(envelope->message);
    apply(core_.tensor_message(received.peer, envelope->message, now, deadline_of(envelope->header, now)));
  } else {
    spdlog::warn("message dropped link=tensor error=\"{}\"", fits.error().message);
    apply(core_.malformed(received.peer, fits.error(), false));
  }
  arriving_.reset();
}

void LinkAgent::drain_events(TimePoint now) {
  while (auto event = parts_.events.take()) {
    if (const auto* load = std::get_if<LoadEnded>(&*event)) {
      const bool failed = !load->outcome && load->outcome.error().code != ErrorCode::kCancelled;
      spdlog::debug("read ended slot={} took_us={}", load->slot.value, load->took.count());
      if (failed) spdlog::error("expert not loaded error=\"{}\"", load->outcome.error().message);
      apply(core_.load_ended(load->slot, load->outcome, load->took, now));
    } else {
      const auto& compute = std::get<ComputeEnded>(*event);
      apply(core_.compute_ended(compute.job, compute.groups, compute.took, now));
    }
  }
}

void LinkAgent::apply(WorkerActions actions) {
  for (WorkerAction& action : actions) std::visit([this](auto& what) { apply(what); }, action);
}

void LinkAgent::apply(SendControl& action) {
  active_ = true;
  // Heartbeats and advice may be lost: a router that misses something greets again.
  [[maybe_unused]] const auto sent = parts_.control->send(action.peer, encode(action.message));
}

void LinkAgent::apply(SendTensor& action) {
  send_tensor(action.peer, action.message, {});
}

void LinkAgent::apply(AdmitJob& action) {
  SIDA_CHECK(arriving_ != nullptr);
  arriving_->output.resize(arriving_->shape.bytes());
  rows_.emplace(action.job, std::move(arriving_));
}

void LinkAgent::apply(LoadExpert& action) {
  spdlog::debug("read begins slot={} layer={} expert={} demanded={}", action.slot.value, action.key.layer.value,
                action.key.expert.value, action.demanded);
  parts_.store.order(action);
}

void LinkAgent::apply(DemandLoad& action) {
  parts_.store.order(action);
}

void LinkAgent::apply(CancelLoad& action) {
  spdlog::debug("read cancelled slot={}", action.slot.value);
  parts_.store.order(action);
}

void LinkAgent::apply(ComputeGroups& action) {
  const JobId job = action.job;
  parts_.compute.compute({std::move(action), rows_.at(job)});
}

void LinkAgent::apply(FinishJob& action) {
  auto rows = rows_.extract(action.job);
  SIDA_CHECK(!rows.empty());
  // No copy: the frame keeps the rows alive until they are on the wire.
  const std::shared_ptr<JobRows> owner = std::move(rows.mapped());
  send_tensor(action.peer, action.result, {owner->output.data(), owner->output.size(), owner});
}

void LinkAgent::apply(DropJob& action) {
  rows_.erase(action.job);
}

void LinkAgent::send_tensor(PeerId peer, const proto::Message& message, transport::Frame rows) {
  active_ = true;
  auto sent = parts_.tensors.send(peer, {encode(message), std::move(rows)});
  if (sent) return;
  spdlog::warn("send failed link=tensor error=\"{}\"", sent.error().message);
  if (sent.error().code == ErrorCode::kUnavailable) gone_.push_back(peer);
}

}  // namespace sida::worker

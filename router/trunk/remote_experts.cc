#include "router/trunk/remote_experts.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <set>
#include <utility>
#include <variant>

#include "common/proto/codec.h"

namespace sida::router {
namespace {

constexpr int kBurst = 256;  // Messages of one channel per turn; then the others, deadlines and coroutines get theirs.

std::uint64_t row_bytes(const RemoteExperts::Options& options) {
  return static_cast<std::uint64_t>(options.d_model) * bytes_per_element(options.hello.compute_dtype);
}

std::chrono::microseconds remaining(TimePoint deadline, TimePoint now) {
  if (deadline == TimePoint::max()) return std::chrono::microseconds::zero();
  // Zero means "no deadline", so a deadline that has passed travels as the shortest one.
  return std::max(std::chrono::microseconds(1), std::chrono::duration_cast<std::chrono::microseconds>(deadline - now));
}

// Elements of call.experts to the bytes of their rows.
transport::Frame gather(const ExpertCall& call, const std::vector<std::int32_t>& rows) {
  const std::size_t size = call.rows.row_bytes();
  std::vector<std::byte> gathered(rows.size() * size);
  for (std::size_t index = 0; index < rows.size(); ++index) {
    std::memcpy(gathered.data() + index * size, call.rows.row(rows[index] / call.k), size);
  }
  return transport::Frame::take(std::move(gathered));
}

}  // namespace

RemoteExperts::RemoteExperts(transport::Transport& transport, Options options)
    : transport_(transport),
      options_(std::move(options)),
      core_(options_.hello.router, row_bytes(options_), options_.experts_total, options_.limits) {}

void RemoteExperts::start(ExpertCall& call) {
  const CallId id{next_call_++};
  call.served_by.assign(call.experts.size(), WorkerId{});
  calls_[id] = &call;
  apply(core_.start(id, call.step, call.layer, call.experts, call.deadline, steady_now()));
}

void RemoteExperts::set_workers(const std::vector<TrunkWorker>& workers) {
  std::set<WorkerId> live;
  std::vector<proto::Member> members;
  for (const TrunkWorker& worker : workers) {
    live.insert(worker.member.worker);
    members.push_back(worker.member);
    if (channels_.contains(worker.member.worker)) continue;
    auto channel = transport_.connect_tensors(worker.data_endpoint);
    if (!channel) {
      spdlog::error("tensor channel failed worker={} endpoint={} error=\"{}\"", worker.member.name,
                    worker.data_endpoint, channel.error().message);
      members.pop_back();
      continue;
    }
    const auto hello = proto::encode({.header = {}, .message = options_.hello});
    // A fresh channel's queue is empty, so the first message is always taken.
    [[maybe_unused]] const auto sent = (*channel)->send({transport::Frame::take(hello), {}});
    channels_[worker.member.worker] = std::move(*channel);
  }
  std::erase_if(channels_, [&](const auto& entry) { return !live.contains(entry.first); });
  apply(core_.members_changed(std::move(members), steady_now()));
}

bool RemoteExperts::poll(TimePoint now) {
  bool active = false;
  for (auto& [worker, channel] : channels_) {
    for (int taken = 0; taken < kBurst; ++taken) {
      auto message = channel->receive();
      if (!message) break;
      receive(worker, *message, now);
      active = true;
    }
  }
  if (core_.next_deadline() <= now) {
    apply(core_.tick(now));
    active = true;
  }
  return active;
}

bool RemoteExperts::resume_ready() {
  const bool any = !ready_.empty();
  while (!ready_.empty()) {
    const ExpertCall& call = *ready_.front();
    ready_.pop_front();
    call.waiting.resume();
  }
  return any;
}

void RemoteExperts::resume_paused() {
  for (const auto& handle : std::exchange(paused_, {})) handle.resume();
}

std::vector<int> RemoteExperts::wake_descriptors() const {
  std::vector<int> descriptors;
  for (const auto& [worker, channel] : channels_) descriptors.push_back(channel->wake_descriptor());
  return descriptors;
}

void RemoteExperts::apply(DispatchActions actions) {
  for (DispatchAction& action : actions) actions_.push_back(std::move(action));
  if (carrying_out_) return;
  carrying_out_ = true;
  while (!actions_.empty()) {
    const DispatchAction action = std::move(actions_.front());
    actions_.pop_front();
    carry_out(action);
  }
  carrying_out_ = false;
}

void RemoteExperts::carry_out(const DispatchAction& action) {
  if (const auto* send = std::get_if<SendPart>(&action)) {
    send_part(send->part);
  } else if (const auto* accept = std::get_if<AcceptRows>(&action)) {
    accept_rows(*accept);
  } else if (const auto* cancel = std::get_if<CancelPart>(&action)) {
    const auto channel = channels_.find(cancel->worker);
    if (channel == channels_.end()) return;
    const auto envelope = proto::encode({.header = {}, .message = proto::Cancel{cancel->id}});
    // Only saves work: a lost Cancel costs an answer that is then ignored.
    [[maybe_unused]] const auto sent = channel->second->send({transport::Frame::take(envelope), {}});
  } else if (const auto* complete = std::get_if<CompleteCall>(&action)) {
    finish(complete->call, {});
  } else {
    const auto& failed = std::get<FailCall>(action);
    finish(failed.call, tl::unexpected(failed.error));
  }
}

void RemoteExperts::send_part(const Part& part) {
  const TimePoint now = steady_now();
  const auto found = calls_.find(part.call);
  if (found == calls_.end()) return;  // It failed between the decision and now.
  const ExpertCall& call = *found->second;
  const proto::TensorShape shape{call.rows.dtype, static_cast<std::uint32_t>(part.rows.size()),
                                 static_cast<std::uint32_t>(call.rows.columns)};
  auto envelope = proto::encode({.header = {.trace = {}, .remaining = remaining(call.deadline, now)},
                                 .message = proto::Dispatch{part.id, part.groups, shape}});
  const auto channel = channels_.find(part.worker);
  if (channel != channels_.end() &&
      channel->second->send({transport::Frame::take(std::move(envelope)), gather(call, part.rows)})) {
    return;
  }
  apply(core_.send_refused(part.id, now));
}

void RemoteExperts::accept_rows(const AcceptRows& accepted) {
  ExpertCall& call = *calls_.at(accepted.call);
  const std::size_t size = call.out.row_bytes();
  for (std::size_t index = 0; index < accepted.rows.size(); ++index) {
    const std::int32_t row = accepted.rows[index];
    if (row < 0) continue;
    std::memcpy(call.out.row(row), result_rows_ + index * size, size);
    call.served_by[static_cast<std::size_t>(row)] = accepted.worker;
  }
}

void RemoteExperts::finish(CallId id, Result<void> result) {
  ExpertCall& call = *calls_.at(id);
  calls_.erase(id);
  call.result = std::move(result);
  ready_.push_back(&call);
}

void RemoteExperts::receive(WorkerId worker, const transport::TensorMessage& message, TimePoint now) {
  auto envelope = proto::decode(message.envelope.bytes());
  if (!envelope) {
    // The first, and then ever more rarely: a peer must not fill the log.
    if (std::has_single_bit(++malformed_messages_)) {
      spdlog::warn("malformed message worker={:x} count={} error=\"{}\"", worker.value, malformed_messages_,
                   envelope.error().message);
    }
    return;
  }
  if (const auto* result = std::get_if<proto::DispatchResult>(&envelope->message)) {
    handle(worker, *result, message.rows, now);
  } else if (const auto* failure = std::get_if<proto::DispatchFailure>(&envelope->message)) {
    spdlog::warn("dispatch failed worker={:x} layer={} error=\"{}\"", worker.value, failure->id.layer.value,
                 failure->message);
    apply(core_.failure(worker, *failure, now));
  } else if (const auto* estimate = std::get_if<proto::Estimate>(&envelope->message)) {
    core_.estimate(worker, *estimate, now);
  } else {
    ++malformed_messages_;
  }
}

void RemoteExperts::handle(WorkerId worker, const proto::DispatchResult& result, const transport::Frame& rows,
                           TimePoint now) {
  const bool fits = proto::check_rows(result.shape, rows.size()) &&
                    result.shape.dtype == options_.hello.compute_dtype &&
                    result.shape.columns == static_cast<std::uint32_t>(options_.d_model);
  if (!fits) {
    ++malformed_messages_;
    return;
  }
  result_rows_ = rows.data();
  apply(core_.result(worker, result, now));
  result_rows_ = nullptr;
}

}  // namespace sida::router

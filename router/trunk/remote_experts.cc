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

bool offers_shared_memory(const proto::Hello& hello) {
  return std::ranges::find(hello.channels, proto::ChannelKind::kSharedMemory) != hello.channels.end();
}

proto::ChannelKind plain_kind(const std::string& data_endpoint) {
  return data_endpoint.starts_with("inproc:") ? proto::ChannelKind::kInProcess : proto::ChannelKind::kZeroMq;
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
    auto channel = open_channel(worker);
    if (!channel) {
      spdlog::error("tensor channel failed worker={} error=\"{}\"", worker.member.name, channel.error().message);
      members.pop_back();
      continue;
    }
    channels_[worker.member.worker] = std::move(*channel);
  }
  std::erase_if(channels_, [&](const auto& entry) { return !live.contains(entry.first); });
  tell_channels();
  members_ = members;
  apply(core_.members_changed(std::move(members), steady_now()));
}

// Over a connection that was made anew, dispatches and results are lost: to the core, as if the worker had gone and
// come.
void RemoteExperts::send_again_what_was_lost(TimePoint now) {
  std::set<WorkerId> interrupted;
  for (auto& [worker, channel] : channels_) {
    const std::uint64_t interruptions = channel.client->interruptions();
    if (std::exchange(channel.interruptions, interruptions) != interruptions) interrupted.insert(worker);
  }
  if (interrupted.empty()) return;
  std::vector<proto::Member> others = members_;
  std::erase_if(others, [&](const proto::Member& member) { return interrupted.contains(member.worker); });
  apply(core_.members_changed(std::move(others), now));
  apply(core_.members_changed(members_, now));
}

// Through shared memory where both offer it and it works, else what every worker has.
Result<RemoteExperts::Channel> RemoteExperts::open_channel(const TrunkWorker& worker) {
  Channel channel{.client = nullptr,
                  .name = worker.member.name,
                  .data_endpoint = worker.data_endpoint,
                  .key_name = worker.key_name};
  if (!worker.shared_memory_endpoint.empty() && offers_shared_memory(options_.hello)) {
    const auto shared = connect(channel, proto::ChannelKind::kSharedMemory, worker.shared_memory_endpoint);
    if (shared) return channel;
    spdlog::warn("no shared memory, rows go over zeromq worker={} error=\"{}\"", channel.name, shared.error().message);
  }
  SIDA_TRY(connect(channel, plain_kind(worker.data_endpoint), worker.data_endpoint));
  return channel;
}

Result<void> RemoteExperts::connect(Channel& channel, proto::ChannelKind kind, const std::string& endpoint) {
  auto client = transport_.connect_tensors({endpoint, channel.key_name});
  if (!client) return tl::unexpected(std::move(client).error());
  const auto hello = proto::encode({.header = {}, .message = options_.hello});
  // A fresh channel's queue is empty, so the first message is always taken.
  [[maybe_unused]] const auto sent = (*client)->send({transport::Frame::take(hello), {}});
  channel.client = std::move(*client);
  channel.interruptions = 0;
  channel.kind = kind;
  spdlog::info("tensor channel worker={} kind={} endpoint={}", channel.name, name(kind), endpoint);
  return {};
}

bool RemoteExperts::send_to(WorkerId worker, const transport::TensorMessage& message) {
  const auto found = channels_.find(worker);
  if (found == channels_.end()) return false;
  Channel& channel = found->second;
  const auto sent = channel.client->send(message);
  if (sent) return true;
  if (sent.error().code != ErrorCode::kUnavailable || channel.kind != proto::ChannelKind::kSharedMemory) return false;
  // The worker cannot map our memory, and will not learn to; or it is about to count as lost anyway.
  spdlog::warn("no shared memory, rows go over zeromq worker={} error=\"{}\"", channel.name, sent.error().message);
  if (!connect(channel, plain_kind(channel.data_endpoint), channel.data_endpoint)) return false;
  tell_channels();
  return channel.client->send(message).has_value();
}

void RemoteExperts::tell_channels() const {
  if (!options_.channels_changed) return;
  WorkerChannels kinds;
  for (const auto& [worker, channel] : channels_) kinds[worker] = channel.kind;
  options_.channels_changed(std::move(kinds));
}

bool RemoteExperts::poll(TimePoint now) {
  bool active = false;
  for (auto& [worker, channel] : channels_) {
    for (int taken = 0; taken < kBurst; ++taken) {
      auto message = channel.client->receive();
      if (!message) break;
      receive(worker, *message, now);
      active = true;
    }
  }
  send_again_what_was_lost(now);
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
  for (const auto& [worker, channel] : channels_) descriptors.push_back(channel.client->wake_descriptor());
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
    const auto envelope = proto::encode({.header = {}, .message = proto::Cancel{cancel->id}});
    // Only saves work: a lost Cancel costs an answer that is then ignored.
    send_to(cancel->worker, {transport::Frame::take(envelope), {}});
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
  if (send_to(part.worker, {transport::Frame::take(std::move(envelope)), gather(call, part.rows)})) return;
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

// Experts in other processes: carries out what DispatchCore decides, over one tensor channel per worker.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/proto/messages.h"
#include "common/transport/transport.h"
#include "router/dispatch/dispatch_core.h"
#include "router/trunk/experts.h"
#include "router/trunk/step.h"

namespace sida::router {

// The trunk's thread only; never blocks. Rows stay in the caller's buffer until their result is back, so that any
// worker's loss is answered by sending them again.
class RemoteExperts : public Experts {
 public:
  struct Options {
    proto::Hello hello;  // First message on every tensor channel.
    std::int64_t d_model = 0;
    std::uint64_t experts_total = 0;  // Of the model, all MoE layers together.
    DispatchLimits limits;
    // Called on the trunk's thread after each change; must not block. May be empty.
    std::function<void(WorkerChannels)> channels_changed;
  };
  RemoteExperts(transport::Transport& transport, Options options);

  void start(ExpertCall& call) override;
  void later(std::coroutine_handle<> paused) override { paused_.push_back(paused); }

  // Connects to new workers, forgets those that are gone, and sends their rows elsewhere.
  void set_workers(const std::vector<TrunkWorker>& workers);

  // Reads every channel dry and applies deadlines; true when anything happened.
  bool poll(TimePoint now);
  // Resumes the coroutines whose calls are done; true when there were any.
  bool resume_ready();
  // Resumes those that have paused by now, each once.
  void resume_paused();
  [[nodiscard]] std::size_t paused() const { return paused_.size(); }

  [[nodiscard]] TimePoint next_deadline() const { return core_.next_deadline(); }
  [[nodiscard]] std::vector<int> wake_descriptors() const;
  [[nodiscard]] const DispatchCounters& counters() const { return core_.counters(); }
  [[nodiscard]] std::uint64_t malformed_messages() const { return malformed_messages_; }

 private:
  struct Channel {
    std::unique_ptr<transport::TensorClient> client;
    proto::ChannelKind kind = proto::ChannelKind::kZeroMq;
    std::string name;           // The worker's.
    std::string data_endpoint;  // What is left where shared memory does not work.
    std::string key_name;
    std::uint64_t interruptions = 0;  // Of the client, as far as they were dealt with.
  };

  Result<Channel> open_channel(const TrunkWorker& worker);
  Result<void> connect(Channel& channel, proto::ChannelKind kind, const std::string& endpoint);
  bool send_to(WorkerId worker, const transport::TensorMessage& message);
  void send_again_what_was_lost(TimePoint now);
  void tell_channels() const;
  void apply(DispatchActions actions);
  void carry_out(const DispatchAction& action);
  void send_part(const Part& part);
  void accept_rows(const AcceptRows& accepted);
  void finish(CallId call, Result<void> result);
  void receive(WorkerId worker, const transport::TensorMessage& message, TimePoint now);
  void handle(WorkerId worker, const proto::DispatchResult& result, const transport::Frame& rows, TimePoint now);

  transport::Transport& transport_;
  const Options options_;
  DispatchCore core_;
  std::vector<proto::Member> members_;
  std::map<WorkerId, Channel> channels_;
  std::unordered_map<CallId, ExpertCall*> calls_;
  std::deque<DispatchAction> actions_;  // Not carried out yet; a refused send adds to them.
  bool carrying_out_ = false;
  std::deque<ExpertCall*> ready_;  // Answered; their coroutines are resumed next.
  std::deque<std::coroutine_handle<>> paused_;
  const std::byte* result_rows_ = nullptr;  // Of the result being handled.
  std::uint64_t next_call_ = 1;
  std::uint64_t malformed_messages_ = 0;
};

}  // namespace sida::router

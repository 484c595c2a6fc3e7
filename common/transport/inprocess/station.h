// Where one server and its clients meet: the queues of both directions, bounded. Any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "common/base/result.h"
#include "common/runtime/wake_event.h"
#include "common/transport/control_link.h"

namespace sida::transport::inprocess {

// A wake event that is signalled once for any number of messages. Guarded by the station's mutex.
class Wake {
 public:
  void set() {
    if (!std::exchange(set_, true)) event_.signal();
  }
  void reset() {
    if (std::exchange(set_, false)) event_.clear();
  }
  [[nodiscard]] int descriptor() const { return event_.descriptor(); }

 private:
  bool set_ = false;
  WakeEvent event_;
};

// One client's connection. Guarded by the station's mutex, but for the descriptor.
template <typename Message>
struct Lane {
  PeerId id;
  bool heard = false;     // The server has received from it, so it may send.
  bool connected = true;  // The client lives.
  std::deque<Message> to_server;
  std::deque<Message> to_client;
  Wake client_wake;
};

// Behaves as ZeroMQ does: clients may come before the server and their messages wait, up to the bound; a server that
// ends takes with it what it had not received; what it sent before stays readable.
template <typename Message>
class Station {
 public:
  using LanePointer = std::shared_ptr<Lane<Message>>;

  explicit Station(std::size_t queue_messages_max) : queue_messages_max_(queue_messages_max) {}

  // False when a server is there already.
  bool open_server() {
    const std::lock_guard lock(mutex_);
    return !std::exchange(served_, true);
  }

  // Its clients stay and are new peers to the next server.
  void close_server() {
    const std::lock_guard lock(mutex_);
    served_ = false;
    for (auto& [id, lane] : std::exchange(lanes_, {})) {
      lane->to_server.clear();
      lane->heard = false;
      if (lane->connected) enter(lane);
    }
    server_wake_.reset();
  }

  LanePointer connect() {
    const std::lock_guard lock(mutex_);
    auto lane = std::make_shared<Lane<Message>>();
    enter(lane);
    return lane;
  }

  // What the client sent before can still be received, if a server is there.
  void disconnect(const LanePointer& lane) {
    const std::lock_guard lock(mutex_);
    lane->connected = false;
    lane->to_client.clear();
    if (!served_ || lane->to_server.empty()) lanes_.erase(lane->id.value);
  }

  Result<void> send_to_server(const LanePointer& lane, Message message) {
    const std::lock_guard lock(mutex_);
    SIDA_TRY(push(lane->to_server, std::move(message)));
    server_wake_.set();
    return {};
  }

  Result<void> send_to_client(PeerId peer, Message message) {
    const std::lock_guard lock(mutex_);
    const auto found = lanes_.find(peer.value);
    if (found == lanes_.end() || !found->second->connected || !found->second->heard) {
      return fail(ErrorCode::kUnavailable, "the peer is gone");
    }
    SIDA_TRY(push(found->second->to_client, std::move(message)));
    found->second->client_wake.set();
    return {};
  }

  std::optional<Message> receive_at_client(const LanePointer& lane) {
    const std::lock_guard lock(mutex_);
    if (lane->to_client.empty()) {
      lane->client_wake.reset();
      return std::nullopt;
    }
    return pop(lane->to_client);
  }

  // One message of each client in turn.
  std::optional<std::pair<PeerId, Message>> receive_at_server() {
    const std::lock_guard lock(mutex_);
    auto entry = lanes_.upper_bound(last_served_);
    for (std::size_t looked = 0; looked < lanes_.size(); ++looked, ++entry) {
      if (entry == lanes_.end()) entry = lanes_.begin();
      if (!entry->second->to_server.empty()) return receive_from(entry->second);
    }
    server_wake_.reset();
    return std::nullopt;
  }

  [[nodiscard]] int server_descriptor() const { return server_wake_.descriptor(); }

 private:
  void enter(const LanePointer& lane) {
    lane->id = PeerId{++last_id_};
    lanes_[last_id_] = lane;
  }

  Result<void> push(std::deque<Message>& queue, Message message) {
    if (queue.size() >= queue_messages_max_) return fail(ErrorCode::kOverloaded, "the peer's queue is full");
    queue.push_back(std::move(message));
    return {};
  }

  static Message pop(std::deque<Message>& queue) {
    Message message = std::move(queue.front());
    queue.pop_front();
    return message;
  }

  std::pair<PeerId, Message> receive_from(LanePointer lane) {
    lane->heard = true;
    last_served_ = lane->id.value;
    std::pair<PeerId, Message> received{lane->id, pop(lane->to_server)};
    if (!lane->connected && lane->to_server.empty()) lanes_.erase(lane->id.value);
    return received;
  }

  const std::size_t queue_messages_max_;
  std::mutex mutex_;
  bool served_ = false;
  std::uint64_t last_id_ = 0;
  std::uint64_t last_served_ = 0;
  std::map<std::uint64_t, LanePointer> lanes_;
  Wake server_wake_;
};

}  // namespace sida::transport::inprocess

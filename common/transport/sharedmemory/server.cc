#include "common/transport/sharedmemory/server.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "common/transport/sharedmemory/rendezvous.h"

namespace sida::transport::sharedmemory {
namespace {

constexpr std::uint64_t kListener = 0;  // Peers are numbered from 1.
constexpr int kAcceptedAtOnce = 16;
constexpr std::uint64_t kMessagesBetweenLooks = 256;  // Under load, so that new peers get their turn.
constexpr std::chrono::seconds kDeaf{1};

}  // namespace

Result<std::unique_ptr<Server>> Server::make(const std::string& path, std::string endpoint, const Limits& limits) {
  auto listener = IpcListener::open(path);
  if (!listener) return tl::unexpected(std::move(listener).error());
  Descriptor listening(listener->release_descriptor());
  fcntl(listening.get(), F_SETFL, O_NONBLOCK);
  Descriptor events(epoll_create1(EPOLL_CLOEXEC));
  std::unique_ptr<Server> server(
      new Server(std::move(*listener), std::move(listening), std::move(events), std::move(endpoint), limits));
  if (!server->events_ || !server->watch(server->listening_.get(), kListener)) {
    return fail(ErrorCode::kIo, "shared memory: no more descriptors");
  }
  return server;
}

Server::Server(IpcListener listener, Descriptor listening, Descriptor events, std::string endpoint,
               const Limits& limits)
    : listener_(std::move(listener)),
      listening_(std::move(listening)),
      events_(std::move(events)),
      endpoint_(std::move(endpoint)),
      limits_(limits) {}

bool Server::watch(int descriptor, std::uint64_t id) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = id;
  return epoll_ctl(events_.get(), EPOLL_CTL_ADD, descriptor, &event) == 0;
}

Result<void> Server::send(PeerId peer, TensorMessage message) {
  const auto found = peers_.find(peer.value);
  if (found == peers_.end() || !found->second.heard) return fail(ErrorCode::kUnavailable, "the peer is gone");
  auto sent = found->second.line->send(message);
  const bool lost = found->second.line->gone() || (!sent && sent.error().code == ErrorCode::kUnavailable);
  if (!lost) return sent;
  peers_.erase(found);
  return fail(ErrorCode::kUnavailable, "the peer is gone");
}

std::optional<TensorServer::Received> Server::receive() {
  if (received_ % kMessagesBetweenLooks != kMessagesBetweenLooks - 1) {
    if (auto next = take_next()) return next;
  }
  ++received_;
  look_around();
  return take_next();
}

// One message of each peer in turn.
std::optional<TensorServer::Received> Server::take_next() {
  auto entry = peers_.upper_bound(last_served_);
  for (std::size_t left = peers_.size(); left > 0; --left) {
    if (entry == peers_.end()) entry = peers_.begin();
    auto& [id, peer] = *entry;
    Result<std::optional<TensorMessage>> taken;
    if (peer.line) taken = peer.line->take();
    if (taken && !*taken) {
      entry = peer.line && peer.line->gone() ? peers_.erase(entry) : std::next(entry);
      continue;
    }
    last_served_ = id;
    Received received{PeerId{id}, {}};
    if (taken) {
      received.message = std::move(**taken);
      peer.heard = true;
      peer.last_heard = ++received_;
    } else {
      // It breaks the rules of the ring. The codec refuses an empty message, so the receiver counts it.
      peers_.erase(entry);
    }
    return received;
  }
  return std::nullopt;
}

void Server::look_around() {
  if (deaf_ && steady_now() >= deaf_until_) deaf_ = !watch(listening_.get(), kListener);
  std::array<epoll_event, 64> events;
  const int count = epoll_wait(events_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int index = 0; index < count; ++index) {
    const std::uint64_t id = events[static_cast<std::size_t>(index)].data.u64;
    if (id == kListener) {
      accept_all();
    } else if (const auto found = peers_.find(id); found != peers_.end()) {
      look_at(found);
    }
  }
  for (auto& [id, peer] : peers_) {
    if (peer.line) peer.line->sleep();
  }
}

void Server::look_at(Peers::iterator found) {
  Peer& peer = found->second;
  if (peer.line) {
    peer.line->heard_bell();
    if (peer.line->gone()) epoll_ctl(events_.get(), EPOLL_CTL_DEL, peer.socket.get(), nullptr);
    return;
  }
  const std::size_t ring_bytes = ring_bytes_for(limits_.message_bytes_max);
  auto memory = take_memory(peer.socket.get(), ring_bytes);
  auto segment = memory ? Segment::adopt(std::move(*memory), ring_bytes) : tl::unexpected(std::move(memory).error());
  if (!segment) {
    peers_.erase(found);  // The client notices that it was turned down.
    return;
  }
  segment->accepted().store(1, std::memory_order_release);
  peer.line = std::make_unique<Line>(std::move(*segment), End::kServer, limits_);
  peer.line->attach(peer.socket.get());
}

void Server::accept_all() {
  for (int accepted = 0; accepted < kAcceptedAtOnce; ++accepted) {
    if (!accept_one()) return;
  }
}

bool Server::accept_one() {
  Descriptor socket(accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket) {
    if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) return false;
    // No descriptor or no memory is left. The listening socket would wake us without end.
    epoll_ctl(events_.get(), EPOLL_CTL_DEL, listening_.get(), nullptr);
    deaf_ = true;
    deaf_until_ = steady_now() + kDeaf;
    return false;
  }
  make_room();
  const std::uint64_t id = ++last_id_;
  if (!watch(socket.get(), id)) return false;
  peers_.emplace(id, Peer{std::move(socket), nullptr, false, received_});
  return true;
}

// Beyond the limit the peer silent for longest is forgotten.
void Server::make_room() {
  if (peers_.size() < limits_.peers_max) return;
  peers_.erase(std::ranges::min_element(
      peers_, [](const auto& a, const auto& b) { return a.second.last_heard < b.second.last_heard; }));
}

}  // namespace sida::transport::sharedmemory

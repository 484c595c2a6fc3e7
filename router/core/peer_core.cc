#include "router/core/peer_core.h"

#include <utility>

namespace sida::router {
namespace {

// Silence after which the peer is greeted again: a restarted process does not know us, and stays silent until then.
constexpr auto kSilenceBeforeHello = 3 * kHeartbeatInterval;

}  // namespace

std::string_view name(PeerState state) {
  switch (state) {
    case PeerState::kConnecting:
      return "connecting";
    case PeerState::kReady:
      return "ready";
    case PeerState::kDraining:
      return "draining";
    case PeerState::kLost:
      return "lost";
    case PeerState::kRefused:
      return "refused";
  }
  return "unknown";
}

PeerCore::PeerCore(PeerRole role, std::string label, proto::Hello hello)
    : role_(role), label_(std::move(label)), hello_(std::move(hello)) {}

std::vector<proto::Message> PeerCore::tick(TimePoint now) {
  if (now < next_tick_) return {};
  next_tick_ = now + kHeartbeatInterval;
  const auto is_live = [&] { return state_ == PeerState::kReady || state_ == PeerState::kDraining; };
  if (is_live() && now - last_heard_ > kHeartbeatTimeout) lose("silent");
  if (is_live() && now - progressed_ > kProgressTimeout) lose("busy without progress");

  const bool live = is_live();
  std::vector<proto::Message> messages;
  const bool silent = !live || now - last_heard_ > kSilenceBeforeHello;
  if (std::exchange(greet_now_, false) || (silent && now >= next_hello_)) {
    next_hello_ = now + (state_ == PeerState::kRefused ? kRefusedHelloInterval : kHelloInterval);
    messages.emplace_back(hello_);
  }
  if (live) messages.emplace_back(proto::Heartbeat{.progress = ++ticks_, .busy = false});
  return messages;
}

bool PeerCore::received(const proto::Message& message, TimePoint now) {
  last_heard_ = now;
  if (const auto* greeting = std::get_if<proto::Welcome>(&message)) return welcome(*greeting, now);
  if (const auto* refusal = std::get_if<proto::Refuse>(&message)) {
    next_hello_ = now + kRefusedHelloInterval;
    return refuse(refusal->message);
  }
  if (std::holds_alternative<proto::Draining>(message) && state_ == PeerState::kReady) {
    state_ = PeerState::kDraining;
    detail_ = "finishes its work and takes no more until it is taken back or started anew";
    return true;
  }
  if (std::holds_alternative<proto::Resume>(message) && state_ == PeerState::kDraining) {
    state_ = PeerState::kReady;
    detail_.clear();
    return true;
  }
  if (const auto* beat = std::get_if<proto::Heartbeat>(&message)) {
    if (!beat->busy || beat->progress != progress_) progressed_ = now;
    progress_ = beat->progress;
  }
  return false;
}

std::string PeerCore::objection(const proto::Welcome& welcome) const {
  if (welcome.model != hello_.model) return "it serves another model";
  const bool is_worker = !welcome.data_endpoint.empty() && welcome.capacity.slots > 0;
  if (role_ == PeerRole::kWorker && !is_worker) return "it is not an expert-worker; check the endpoint";
  if (role_ == PeerRole::kPredictor && is_worker) return "it is not a predictor; check the endpoint";
  return {};
}

bool PeerCore::refuse(std::string why) {
  const bool changed = state_ != PeerState::kRefused;
  state_ = PeerState::kRefused;
  detail_ = std::move(why);
  return changed;
}

bool PeerCore::welcome(const proto::Welcome& welcome, TimePoint now) {
  if (std::string why = objection(welcome); !why.empty()) {
    next_hello_ = now + kRefusedHelloInterval;
    return refuse(std::move(why));
  }
  const bool same =
      (state_ == PeerState::kReady || state_ == PeerState::kDraining) && welcome_->worker == welcome.worker;
  if (same) return false;
  // After a loss the old incarnation may have been only slow. Its rows were sent elsewhere; it may have new ones.
  welcome_ = welcome;
  state_ = PeerState::kReady;
  detail_.clear();
  progress_ = 0;
  progressed_ = now;
  return true;
}

bool PeerCore::take_changed() {
  return std::exchange(changed_, false);
}

void PeerCore::lose(std::string why) {
  if (state_ == PeerState::kLost) return;
  state_ = PeerState::kLost;
  detail_ = std::move(why);
  changed_ = true;
}

}  // namespace sida::router

// The router's side of one control link, to a worker or to a predictor: greeting, heartbeats, and when it is lost.
// No I/O, no clock.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/proto/messages.h"
#include "common/runtime/clock.h"

namespace sida::router {

// How long a busy peer may show no progress. Twice the heartbeat time-out: one expert read from a slow disk is no hang.
inline constexpr std::chrono::milliseconds kProgressTimeout{2000};
inline constexpr std::chrono::milliseconds kHelloInterval{250};
// A refused peer is greeted again: its next incarnation may be the right one.
inline constexpr std::chrono::milliseconds kRefusedHelloInterval{5000};

enum class PeerRole { kWorker, kPredictor };

enum class PeerState { kConnecting, kReady, kDraining, kLost, kRefused };

std::string_view name(PeerState state);

class PeerCore {
 public:
  // `label`: for logs and status until the peer has told its name. `hello` is what it is greeted with.
  PeerCore(PeerRole role, std::string label, proto::Hello hello);

  // What to send now. Called at least every kHeartbeatInterval.
  std::vector<proto::Message> tick(TimePoint now);

  // Takes a message that belongs to the link (Welcome, Refuse, Heartbeat, Draining, Resume); every message counts as a
  // sign of life. Returns true when the state or the incarnation changed.
  bool received(const proto::Message& message, TimePoint now);

  // The connection was made anew: whoever is at its other end now is greeted at the next tick.
  void link_interrupted() { greet_now_ = true; }

  // True once after each change by time alone (a loss), so that the agent can tell the trunk.
  bool take_changed();

  [[nodiscard]] PeerState state() const { return state_; }
  // May be given work.
  [[nodiscard]] bool ready() const { return state_ == PeerState::kReady; }
  // Of the last welcome; the name survives a loss.
  [[nodiscard]] const std::optional<proto::Welcome>& welcome() const { return welcome_; }
  [[nodiscard]] const std::string& label() const { return label_; }
  // Why it is refused or lost.
  [[nodiscard]] const std::string& detail() const { return detail_; }
  [[nodiscard]] TimePoint next_tick() const { return next_tick_; }

 private:
  bool welcome(const proto::Welcome& welcome, TimePoint now);
  void lose(std::string why);
  // Why a welcome is not one that we can work with; empty: it is.
  [[nodiscard]] std::string objection(const proto::Welcome& welcome) const;
  bool refuse(std::string why);

  PeerRole role_;
  std::string label_;
  proto::Hello hello_;
  PeerState state_ = PeerState::kConnecting;
  std::optional<proto::Welcome> welcome_;
  std::string detail_ = "no answer yet";
  bool changed_ = false;
  bool greet_now_ = false;
  TimePoint next_tick_{};
  TimePoint next_hello_{};
  TimePoint last_heard_{};
  std::uint64_t progress_ = 0;
  TimePoint progressed_{};
  std::uint64_t ticks_ = 0;
};

}  // namespace sida::router

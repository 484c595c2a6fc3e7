// How long a request that came now would take, from what was measured lately: how fast the line moves, how long sources
// take to be encoded and how far apart tokens come, each by how much is computed together, and how many of the tokens
// asked for are generated. No I/O, no clock.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "common/runtime/clock.h"

namespace sida::router {

// A time by the size of what is done in it, fitted to the latest samples as a straight line.
class TimeBySize {
 public:
  void add(double size, double seconds) {
    constexpr double kKept = 1 - 1.0 / 64;  // Per sample: the latest hundred or so count.
    weight_ = weight_ * kKept + 1;
    const double share = 1 / weight_;
    const double off = size - size_;
    size_ += off * share;
    variance_ = (1 - share) * (variance_ + share * off * off);
    covariance_ = (1 - share) * (covariance_ + share * off * (seconds - seconds_));
    seconds_ += (seconds - seconds_) * share;
  }
  [[nodiscard]] bool known() const { return weight_ > 0; }
  [[nodiscard]] double at(double size) const {
    // While all samples have one size, half the time is taken to grow with it.
    constexpr double kDoubt = 1;
    const double guess = size_ > 0 ? seconds_ / size_ / 2 : 0;
    const double slope = (covariance_ + kDoubt * guess) / (variance_ + kDoubt);
    return std::max(0.0, seconds_ + std::max(0.0, slope) * (size - size_));
  }

 private:
  double weight_ = 0;
  double size_ = 0;     // Means,
  double seconds_ = 0;  // of both,
  double variance_ = 0;
  double covariance_ = 0;
};

class WaitEstimate {
 public:
  // What would be computed together with the request, and of it.
  struct Load {
    std::int64_t line_tokens = 0;    // Before its end in the line, all that are to be cached; 0: it need not wait.
    std::int64_t source_tokens = 0;  // To be encoded.
    std::int64_t rows = 0;           // Of a token step.
    std::int64_t new_tokens = 0;     // Its own, at most.
  };

  // Whether somebody waits from `now` on. The line's speed is measured while somebody does: otherwise it says how fast
  // requests come, not how fast they could be taken.
  void line(bool waiting, TimePoint now) {
    pass_line_time(now);
    waiting_ = waiting;
  }
  // So many tokens left the line to be computed.
  void taken(std::int64_t tokens, TimePoint now) {
    pass_line_time(now);
    line_tokens_ += static_cast<double>(tokens);
  }
  // Sources of so many tokens together, taken at `taken`, are encoded.
  void encoded(std::int64_t tokens, TimePoint taken, TimePoint now) {
    encoding_.add(static_cast<double>(tokens), seconds(now - taken));
  }
  // So many rows have one token more; `first`: none had one before, so that no interval has ended.
  void token_step(std::int64_t rows, bool first, TimePoint now) {
    if (!first) interval_.add(static_cast<double>(rows), seconds(now - last_step_));
    last_step_ = now;
  }
  // A sequence that might have generated `most` tokens is finished with `had`.
  void finished(std::int64_t had, std::int64_t most) {
    if (most <= 0) return;
    const bool below = static_cast<double>(had) <= share_ * static_cast<double>(most);
    share_ = std::clamp(share_ + kShareStep * (kShareQuantile - (below ? 1 : 0)), 0.0, 1.0);
  }

  // Nothing before all of it was measured.
  [[nodiscard]] std::optional<Duration> expected(const Load& load) const {
    double wait = 0;
    if (load.line_tokens > 0) {
      // A line that stood still for seconds says nothing of how it goes on.
      if (line_tokens_ < kLineTokensMin || line_seconds_ < kLineSecondsMin) return std::nullopt;
      wait = static_cast<double>(load.line_tokens) * line_seconds_ / line_tokens_;
    }
    if (!encoding_.known() || (load.new_tokens > 0 && !interval_.known())) return std::nullopt;
    const double tokens = static_cast<double>(load.new_tokens) * share_;
    const double all = wait + encoding_.at(static_cast<double>(load.source_tokens)) +
                       tokens * interval_.at(static_cast<double>(load.rows));
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(std::min(all, kSecondsMax)));
  }

 private:
  // Of the tokens asked for, the share that 19 of 20 sequences stay within; found by small steps from 1 on.
  static constexpr double kShareQuantile = 0.95;
  static constexpr double kShareStep = 0.02;
  static constexpr double kLineMemorySeconds = 1;  // Of the time in which somebody waits.
  static constexpr double kLineTokensMin = 1;
  static constexpr double kSecondsMax = 24 * 3600;  // Later than any deadline, and no overflow.
  static constexpr double kLineSecondsMin = 0.05;   // Some steps, so that the first batch alone says nothing.

  static double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

  void pass_line_time(TimePoint now) {
    if (waiting_) {
      const double passed = seconds(now - line_seen_);
      const double kept = std::exp(-passed / kLineMemorySeconds);
      line_seconds_ = line_seconds_ * kept + passed;
      line_tokens_ *= kept;
    }
    line_seen_ = now;
  }

  bool waiting_ = false;
  TimePoint line_seen_{};
  double line_seconds_ = 0;  // In which somebody waited, fading,
  double line_tokens_ = 0;   // and what was taken meanwhile.
  TimeBySize encoding_;      // By source tokens.
  TimeBySize interval_;      // By rows.
  TimePoint last_step_{};
  double share_ = 1;
};

}  // namespace sida::router

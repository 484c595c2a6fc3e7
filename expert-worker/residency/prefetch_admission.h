// Whether reading ahead pays, measured by what became of it; where it does not, it is switched off and tried again now
// and then. No I/O, no clock.
//
// Every read is worth the share of itself that nobody had to wait for: 1 for an expert that was there when it was first
// demanded, less for one that was still on its way, 0 for one that was read on demand. Reading ahead what nobody wanted
// costs something, and so does a dispatch that has to wait for what was evicted for it. The mean over the last reads,
// on demand and ahead, is the gain: the product of how often predictions are right, how much of a right one comes in
// time, and which share of all reads the disk has room to do ahead (GoodPred of ProMoE, Song et al. 2024, times the
// headroom of the link).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>

namespace sida::worker {

enum class PrefetchMode { kOff, kOn, kAuto };  // kAuto: while it pays.

// "off", "on" or "auto"; SIDA_CHECKs that it is one of them.
PrefetchMode prefetch_mode_of(std::string_view name);

// One thread.
class PrefetchAdmission {
 public:
  explicit PrefetchAdmission(PrefetchMode mode) : mode_(mode) {}

  // One more expert may be read ahead.
  [[nodiscard]] bool admits() const;
  // False while it is switched off, which it is too while it is only tried.
  [[nodiscard]] bool on() const { return mode_ != PrefetchMode::kOff && state_ == State::kOn; }
  // Share of the reading that nobody has to wait for, of the last reads; below zero: it costs. 0 before any.
  [[nodiscard]] double gain() const;
  [[nodiscard]] std::uint64_t switches() const { return switches_; }

  // An expert is read ahead. Ends with one of useful, late or wasted, also when its read fails.
  void begun();
  void useful() { ended(1); }
  // It was demanded while it was read, which had then so much of it done: 0 to 1.
  void late(double done) { ended(done); }
  // Nobody wanted it before it was evicted, or before it was read to its end.
  void wasted();
  // A dispatch waits for an expert from the beginning of its read. `displaced`: it was evicted for one that was read
  // ahead and not wanted.
  void demanded(bool displaced);

 private:
  enum class State { kOn, kOff, kTrying };
  struct Read {
    double worth = 0;
    bool ahead = false;
  };
  void ended(double worth);
  void add(Read read);
  void judge();
  void enter(State state);

  const PrefetchMode mode_;
  State state_ = State::kOn;
  std::deque<Read> reads_;  // The last ones.
  double worth_ = 0;        // Their sum.
  std::size_t ahead_ = 0;   // Of them, those read ahead.
  std::size_t tries_begun_ = 0;
  std::size_t trial_fates_ = 0;    // Of reads ahead, since the state was entered.
  std::uint64_t demands_off_ = 0;  // Reads on demand since it was switched off.
  std::uint64_t demands_until_try_ = 0;
  std::uint64_t switches_ = 0;
};

}  // namespace sida::worker

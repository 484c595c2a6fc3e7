// Whether reading ahead pays: measured by what becomes of it, and before it is begun by what would have become of it.
// No I/O, no clock.
//
// Every read is worth the share of itself that nobody had to wait for: 1 for an expert that was there when it was first
// demanded, less for one that was still on its way, 0 for one that was read on demand. Reading ahead what nobody wanted
// costs something, and so does a dispatch that has to wait for what was evicted for it, or for the piece that is just
// being read ahead. The mean over the last reads, on demand and ahead, is the gain: the product of how often
// predictions are right, how much of a right one comes in time, and which share of all reads the disk has room to do
// ahead (GoodPred of ProMoE, Song et al. 2024, times the headroom of the link).
//
// While it is off, reads ahead are imagined, one at a time: the disk does them in the time that it has nothing else to
// read. That costs nothing, so it begins that way, and a disk without headroom is never asked.
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

  // Experts may be read ahead: on, and switched on where that is measured.
  [[nodiscard]] bool on() const { return mode_ == PrefetchMode::kOn || (mode_ == PrefetchMode::kAuto && on_); }
  // A read ahead may be imagined.
  [[nodiscard]] bool imagines() const;
  // Share of the reading that nobody has to wait for, of the last reads; below zero: it costs. 0 before any.
  [[nodiscard]] double gain() const;
  [[nodiscard]] std::uint64_t switches() const { return switches_; }

  // An expert that was read ahead was there when it was demanded.
  void useful() { ended(1); }
  // It was demanded while it was read, which had then so much of it done: 0 to 1.
  void late(double done) { ended(done); }
  // Nobody wanted it before it was evicted, or before it was read to its end; or its read failed.
  void wasted();
  // The same of reads that were imagined.
  void imagined(double done) { ended(done); }
  void imagined_in_vain() { wasted(); }
  // What a dispatch waits for from the beginning of its read.
  struct Demanded {
    bool displaced = false;  // It was evicted for one that was read ahead and not wanted.
    double behind = 0;       // The share of a read that it has to let by, of one ahead.
  };
  void demanded(Demanded how);

 private:
  struct Read {
    double worth = 0;
    bool ahead = false;
  };
  void ended(double worth);
  void add(Read read);
  void judge();

  const PrefetchMode mode_;
  bool on_ = false;
  std::deque<Read> reads_;         // The last ones.
  double worth_ = 0;               // Their sum.
  std::size_t ahead_ = 0;          // Of them, those read ahead or imagined.
  std::uint64_t demands_off_ = 0;  // Reads on demand since the last verdict.
  std::uint64_t demands_until_try_ = 0;
  std::uint64_t switches_ = 0;
};

}  // namespace sida::worker

#include "expert-worker/residency/prefetch_admission.h"

#include <algorithm>

#include "common/base/result.h"

namespace sida::worker {
namespace {

constexpr std::size_t kReadsKept = 256;
// Fates of reads ahead before a verdict; so many are also what a trial costs.
constexpr std::size_t kJudged = 32;
// Below, it is noise that nobody would miss.
constexpr double kGainMin = 0.01;
// What a read that nobody wanted takes from others, as a share of a read: about the piece of it that a demand waits
// for, the processor that unpacks it, the memory's bandwidth, the disk that other processes share.
constexpr double kWaste = 0.125;
// Between trials, reads on demand; twice as many after each that failed.
constexpr std::uint64_t kDemandsUntilTry = 512;
constexpr std::uint64_t kDemandsUntilTryMax = 16384;

}  // namespace

PrefetchMode prefetch_mode_of(std::string_view name) {
  if (name == "off") return PrefetchMode::kOff;
  if (name == "on") return PrefetchMode::kOn;
  SIDA_CHECK(name == "auto");
  return PrefetchMode::kAuto;
}

bool PrefetchAdmission::admits() const {
  if (mode_ != PrefetchMode::kAuto) return mode_ == PrefetchMode::kOn;
  return state_ == State::kOn || (state_ == State::kTrying && tries_begun_ < kJudged);
}

double PrefetchAdmission::gain() const {
  return reads_.empty() ? 0 : worth_ / static_cast<double>(reads_.size());
}

void PrefetchAdmission::begun() {
  if (state_ == State::kTrying) ++tries_begun_;
}

void PrefetchAdmission::wasted() {
  ended(-kWaste);
}

void PrefetchAdmission::demanded(bool displaced) {
  add({.worth = displaced ? -1.0 : 0.0, .ahead = false});
  if (state_ == State::kOff && ++demands_off_ >= demands_until_try_) enter(State::kTrying);
}

void PrefetchAdmission::ended(double worth) {
  add({.worth = worth, .ahead = true});
  ++trial_fates_;
  judge();
}

void PrefetchAdmission::add(Read read) {
  reads_.push_back(read);
  worth_ += read.worth;
  ahead_ += read.ahead ? 1 : 0;
  if (reads_.size() <= kReadsKept) return;
  worth_ -= reads_.front().worth;
  ahead_ -= reads_.front().ahead ? 1 : 0;
  reads_.pop_front();
}

void PrefetchAdmission::judge() {
  // A trial is judged by its fates, however many reads on demand came between them: it begins no further reads.
  const std::size_t fates = state_ == State::kTrying ? trial_fates_ : ahead_;
  if (mode_ != PrefetchMode::kAuto || fates < kJudged) return;
  const bool pays = gain() >= kGainMin;
  if (state_ == State::kOn && !pays) {
    demands_until_try_ = kDemandsUntilTry;
    enter(State::kOff);
  } else if (state_ == State::kTrying) {
    demands_until_try_ = std::min(2 * demands_until_try_, kDemandsUntilTryMax);
    enter(pays ? State::kOn : State::kOff);
  }
}

void PrefetchAdmission::enter(State state) {
  const bool was_on = on();
  state_ = state;
  switches_ += on() != was_on ? 1 : 0;
  // What is judged next is what happens from now on. While it is on, the verdict that turned it on may stand.
  if (state != State::kOn) {
    reads_.clear();
    worth_ = 0;
    ahead_ = 0;
  }
  tries_begun_ = 0;
  trial_fates_ = 0;
  demands_off_ = 0;
}

}  // namespace sida::worker

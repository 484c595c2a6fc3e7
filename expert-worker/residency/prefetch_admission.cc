#include "expert-worker/residency/prefetch_admission.h"

#include <algorithm>

#include "common/base/result.h"

namespace sida::worker {
namespace {

constexpr std::size_t kReadsKept = 256;
// Fates before a verdict: of reads that are imagined, and of reads ahead. These cost little where they have only the
// time that the disk has left, and what they save varies more.
constexpr std::size_t kJudgedImagined = 32;
constexpr std::size_t kJudged = 96;
// Below, it is noise that nobody would miss.
constexpr double kGainMin = 0.01;
// What a read that nobody wanted takes from others, as a share of a read: about the piece of it that a demand waits
// for, the processor that unpacks it, the memory's bandwidth, the disk that other processes share.
constexpr double kWaste = 0.125;
// From a verdict against it to the next read that is imagined, reads on demand; twice as many after each.
constexpr std::uint64_t kDemandsUntilTry = 512;
constexpr std::uint64_t kDemandsUntilTryMax = 16384;

}  // namespace

PrefetchMode prefetch_mode_of(std::string_view name) {
  if (name == "off") return PrefetchMode::kOff;
  if (name == "on") return PrefetchMode::kOn;
  SIDA_CHECK(name == "auto");
  return PrefetchMode::kAuto;
}

bool PrefetchAdmission::imagines() const {
  return mode_ == PrefetchMode::kAuto && !on_ && demands_off_ >= demands_until_try_;
}

double PrefetchAdmission::gain() const {
  return reads_.empty() ? 0 : worth_ / static_cast<double>(reads_.size());
}

void PrefetchAdmission::wasted() {
  ended(-kWaste);
}

void PrefetchAdmission::demanded(Demanded how) {
  ++demands_off_;
  add({.worth = -how.behind - (how.displaced ? 1.0 : 0.0), .ahead = false});
}

void PrefetchAdmission::ended(double worth) {
  add({.worth = worth, .ahead = true});
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
  if (mode_ != PrefetchMode::kAuto || ahead_ < (on_ ? kJudged : kJudgedImagined)) return;
  const bool pays = gain() >= kGainMin;
  if (pays && on_) return;
  switches_ += pays != on_ ? 1 : 0;
  on_ = pays;
  if (!pays) demands_until_try_ = std::clamp(2 * demands_until_try_, kDemandsUntilTry, kDemandsUntilTryMax);
  // What is judged next is what happens from now on.
  reads_.clear();
  worth_ = 0;
  ahead_ = 0;
  demands_off_ = 0;
}

}  // namespace sida::worker

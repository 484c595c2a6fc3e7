// A file that shows from outside whether a process makes progress: whoever supervises it looks when it was last
// touched. For processes without a port that a supervisor could ask, as Kubernetes' probes of expert-workers do.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "common/runtime/clock.h"

namespace sida {

// How long a thread that has work may show no progress before its process counts as stuck.
inline constexpr std::chrono::seconds kStuckAfter{10};
inline constexpr std::chrono::seconds kAliveInterval{1};

// Decides when to touch. No I/O, no clock.
class AliveCore {
 public:
  // `progress`: loop turns of the thread that works, `busy`: it has work now. True when the file is to be touched.
  bool beat(std::uint64_t progress, bool busy, TimePoint now);

 private:
  std::uint64_t progress_ = 0;
  TimePoint progressed_{};
  TimePoint next_{};
};

// One thread. Without a path nothing is ever written.
class AliveFile {
 public:
  AliveFile() = default;
  explicit AliveFile(std::string path) : path_(std::move(path)) {}

  // To be called several times a second. Makes the file and sets its time; a file that cannot be written is told once
  // in the log, and the process goes on.
  void beat(std::uint64_t progress, bool busy, TimePoint now);

 private:
  std::string path_;
  AliveCore core_;
  bool told_ = false;
};

}  // namespace sida

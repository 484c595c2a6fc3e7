#include "cli/bench/memory_watch.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "cli/bench/page_cache.h"
#include "common/runtime/clock.h"
#include "common/runtime/waiter.h"

namespace sida::bench {
namespace {

constexpr std::chrono::milliseconds kPause{200};
constexpr int kPausePerSample = 20;  // A sample takes at most so much of a core: one part in twenty.

// The process and what it started, and so on. What ends meanwhile is not there.
std::vector<pid_t> descendants(pid_t root) {
  std::vector<pid_t> found{root};
  for (std::size_t index = 0; index < found.size(); ++index) {
    const std::filesystem::path tasks = "/proc/" + std::to_string(found[index]) + "/task";
    std::error_code error;
    for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
      std::ifstream children(task.path() / "children");
      for (pid_t child = 0; children >> child;) found.push_back(child);
    }
  }
  return found;
}

// Proportional set size; 0 of a process that has ended.
std::uint64_t held_bytes(pid_t process) {
  std::ifstream rollup("/proc/" + std::to_string(process) + "/smaps_rollup");
  std::string line;
  while (std::getline(rollup, line)) {
    if (line.starts_with("Pss:")) return std::stoull(line.substr(4)) * 1024;
  }
  return 0;
}

}  // namespace

MemoryWatch::MemoryWatch(pid_t root, std::filesystem::path model)
    : root_(root), model_(std::move(model)), thread_([this] { sample_until_stopped(); }) {}

MemoryWatch::~MemoryWatch() {
  stop();
}

std::uint64_t MemoryWatch::stop() {
  stop_.signal();
  if (thread_.joinable()) thread_.join();
  return peak_bytes_;
}

void MemoryWatch::sample_until_stopped() {
  const int descriptor = stop_.descriptor();
  while (!is_readable(descriptor)) {
    const TimePoint began = steady_now();
    std::uint64_t bytes = cached_bytes(model_);
    for (const pid_t process : descendants(root_)) bytes += held_bytes(process);
    peak_bytes_ = std::max(peak_bytes_, bytes);
    const auto took = steady_now() - began;
    wait_readable({&descriptor, 1}, steady_now() + std::max<TimePoint::duration>(kPause, took * kPausePerSample));
  }
}

}  // namespace sida::bench

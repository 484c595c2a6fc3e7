// The largest memory that a tree of processes and the page cache of a model took.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <thread>

#include "common/runtime/wake_event.h"

namespace sida::bench {

// Samples five times a second, or more rarely where a sample takes long, on a thread of its own until asked to stop.
class MemoryWatch {
 public:
  MemoryWatch(pid_t root, std::filesystem::path model);
  ~MemoryWatch();
  MemoryWatch(const MemoryWatch&) = delete;
  MemoryWatch& operator=(const MemoryWatch&) = delete;

  // Ends the sampling. The most bytes of one sample: proportional set size of `root` and its descendants, and what the
  // page cache holds of the model's files, some of which may be counted in both.
  std::uint64_t stop();

 private:
  void sample_until_stopped();

  pid_t root_;
  std::filesystem::path model_;
  std::uint64_t peak_bytes_ = 0;  // Of the thread until it has ended.
  WakeEvent stop_;
  std::thread thread_;
};

}  // namespace sida::bench

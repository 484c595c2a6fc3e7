// A line that tells how far a long run is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/runtime/clock.h"

namespace sida::cli {

// What is done, and what there is to do.
struct ProgressState {
  std::uint64_t done = 0;    // Items of this run.
  std::uint64_t total = 0;   // Of this run.
  std::uint64_t tokens = 0;  // Done; 0: nothing is said of them.
  double share = 0;          // Of the work, 0 to 1, by which the time left is judged.
  std::chrono::duration<double> elapsed{0};
};

// "120 of 2000 sequences, 35200 tokens, 5412 tokens/s, 1 min 20 s left".
std::string progress_line(const ProgressState& state);

// Of a run that writes a file.
struct ByteProgress {
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  std::uint64_t before = 0;                  // Done by an earlier run.
  std::chrono::duration<double> elapsed{0};  // For what was done since.
};

// "3.2 of 29.4 GB, 0.45 GB/s, 58 s left".
std::string byte_progress_line(const ByteProgress& state);

// "45 s", "3 min 20 s", "2 h 5 min".
std::string short_duration(std::chrono::duration<double> duration);

// Writes to stderr: over the same line on a terminal, else a new line every ten seconds.
class Progress {
 public:
  explicit Progress(std::string name);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Shows at most four times a second.
  void show(ProgressState state);
  // Of a run that writes a file. The first call tells what an earlier run had done.
  void show_bytes(std::uint64_t done, std::uint64_t total);
  [[nodiscard]] std::chrono::duration<double> elapsed() const { return steady_now() - started_; }

 private:
  // Whether it is time for another line; the next one is then due later.
  bool due();
  void write(const std::string& line);

  std::string name_;
  bool terminal_;
  TimePoint started_;
  TimePoint next_;
  bool line_open_ = false;
  std::optional<std::uint64_t> bytes_before_;
};

}  // namespace sida::cli

#include "cli/progress.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <utility>

namespace sida::cli {

std::string short_duration(std::chrono::duration<double> duration) {
  const auto seconds = static_cast<std::int64_t>(duration.count() + 0.5);
  if (seconds < 60) return std::to_string(seconds) + " s";
  if (seconds < 3600) return std::to_string(seconds / 60) + " min " + std::to_string(seconds % 60) + " s";
  return std::to_string(seconds / 3600) + " h " + std::to_string(seconds % 3600 / 60) + " min";
}

std::string progress_line(const ProgressState& state) {
  std::string line = std::to_string(state.done) + " of " + std::to_string(state.total) + " sequences";
  if (state.tokens > 0) line += ", " + std::to_string(state.tokens) + " tokens";
  if (state.elapsed.count() > 0 && state.tokens > 0) {
    line += ", " +
            std::to_string(static_cast<std::int64_t>(static_cast<double>(state.tokens) / state.elapsed.count())) +
            " tokens/s";
  }
  if (state.share > 0 && state.share < 1) {
    line += ", " + short_duration(state.elapsed * ((1 - state.share) / state.share)) + " left";
  }
  return line;
}

std::string byte_progress_line(const ByteProgress& state) {
  const auto gigabytes = [](double bytes, int digits) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.*f", digits, bytes / 1e9);
    return std::string(text.data());
  };
  std::string line =
      gigabytes(static_cast<double>(state.done), 1) + " of " + gigabytes(static_cast<double>(state.total), 1) + " GB";
  if (state.elapsed.count() <= 0 || state.done <= state.before) return line;
  const double rate = static_cast<double>(state.done - state.before) / state.elapsed.count();
  line += ", " + gigabytes(rate, 2) + " GB/s";
  if (state.done < state.total) {
    line += ", " + short_duration(std::chrono::duration<double>(static_cast<double>(state.total - state.done) / rate)) +
            " left";
  }
  return line;
}

Progress::Progress(std::string name)
    : name_(std::move(name)),
      terminal_(::isatty(STDERR_FILENO) != 0),
      started_(steady_now()),
      next_(started_ + std::chrono::seconds(terminal_ ? 1 : 10)) {}

Progress::~Progress() {
  if (line_open_) std::fputs("\n", stderr);
}

bool Progress::due() {
  const TimePoint now = steady_now();
  if (now < next_) return false;
  next_ = now + (terminal_ ? std::chrono::milliseconds(250) : std::chrono::milliseconds(10'000));
  return true;
}

void Progress::write(const std::string& line) {
  std::fprintf(stderr, terminal_ ? "\r%s: %s\033[K" : "%s: %s\n", name_.c_str(), line.c_str());
  line_open_ = terminal_;
}

void Progress::show(ProgressState state) {
  if (!due()) return;
  state.elapsed = elapsed();
  write(progress_line(state));
}

void Progress::show_bytes(std::uint64_t done, std::uint64_t total) {
  if (!bytes_before_) {
    bytes_before_ = done;
    started_ = steady_now();
  }
  if (due()) write(byte_progress_line({.done = done, .total = total, .before = *bytes_before_, .elapsed = elapsed()}));
}

}  // namespace sida::cli

#include "cli/progress.h"

#include <unistd.h>

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
  std::string line = std::to_string(state.done) + " of " + std::to_string(state.total) + " sequences, " +
                     std::to_string(state.tokens) + " tokens";
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

Progress::Progress(std::string name)
    : name_(std::move(name)),
      terminal_(::isatty(STDERR_FILENO) != 0),
      started_(steady_now()),
      next_(started_ + std::chrono::seconds(terminal_ ? 1 : 10)) {}

Progress::~Progress() {
  if (line_open_) std::fputs("\n", stderr);
}

void Progress::show(ProgressState state) {
  const TimePoint now = steady_now();
  if (now < next_) return;
  next_ = now + (terminal_ ? std::chrono::milliseconds(250) : std::chrono::milliseconds(10'000));
  state.elapsed = now - started_;
  std::fprintf(stderr, terminal_ ? "\r%s: %s\033[K" : "%s: %s\n", name_.c_str(), progress_line(state).c_str());
  line_open_ = terminal_;
}

}  // namespace sida::cli

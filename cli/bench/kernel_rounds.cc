#include "cli/bench/kernel_rounds.h"

#include <algorithm>
#include <cmath>

#include "cli/bench/register_peak.h"

namespace sida::bench {
namespace {

// Mean seconds of a call.
double time_calls(const Subject& subject, std::int64_t calls, Time time) {
  const Stopwatch watch(time);
  for (std::int64_t call = 0; call < calls; ++call) subject.call();
  return watch.seconds() / static_cast<double>(calls);
}

// The second call counts: the first one may allocate, or generate code.
std::int64_t calls_per_round(const Subject& subject, const RoundOptions& options, Time time) {
  subject.call();
  const double seconds = time_calls(subject, 1, time);
  return std::max<std::int64_t>(1, std::llround(options.seconds_per_subject / std::max(seconds, 1e-7)));
}

}  // namespace

std::vector<Timings> time_in_rounds(const std::vector<Subject>& subjects, DType dtype, std::int64_t rows,
                                    const RoundOptions& options, MemoryBandwidth& memory) {
  const Time time = options.threads == 1 ? Time::kThreadCpu : Time::kWall;
  std::vector<Timings> timings;
  std::vector<std::int64_t> calls;
  for (const Subject& subject : subjects) {
    timings.push_back({.kernel = subject.kernel, .layer = subject.layer, .dtype = dtype, .rows = rows});
    calls.push_back(calls_per_round(subject, options, time));
  }
  for (int round = 0; round < options.rounds; ++round) {
    const double bandwidth = memory.pass();
    for (std::size_t turn = 0; turn < subjects.size(); ++turn) {
      const std::size_t index = (turn + static_cast<std::size_t>(round)) % subjects.size();
      const double peak = register_peak(subjects[index].peak_kernel, dtype);
      if (peak > 0) timings[index].peak_flops.push_back(peak * options.threads);
      timings[index].bytes_per_second.push_back(bandwidth);
      timings[index].seconds.push_back(time_calls(subjects[index], calls[index], time));
    }
  }
  return timings;
}

}  // namespace sida::bench

#include "cli/trace_run.h"

#include <utility>

#include "cli/parallel_asks.h"
#include "cli/traced_answer.h"
#include "common/runtime/shutdown_signal.h"

namespace sida::cli {
namespace {

using Answered = Result<trace::TracedSequence>;

Answered ask(const TraceJob& job, const Url& url, const trace::TraceHeader& header, const TraceRunOptions& options) {
  const TraceQuestion question = trace_question(job, options.new_tokens_max);
  auto answer = http_ask(url, question.path, question.body, options.timeout);
  if (!answer) return fail_at("line " + std::to_string(job.ordinal + 1), std::move(answer).error());
  return traced_answer(header, job, *answer);
}

std::uint64_t tokens_of(const std::vector<TraceJob>& jobs) {
  std::uint64_t tokens = 0;
  for (const TraceJob& job : jobs) tokens += job.source.size() + job.target.size();
  return tokens;
}

}  // namespace

Result<std::vector<TraceJob>> jobs_left(const std::vector<TraceJob>& jobs,
                                        const std::map<std::uint64_t, trace::TraceWriter::Recorded>& recorded) {
  std::vector<TraceJob> left;
  for (const TraceJob& job : jobs) {
    const auto found = recorded.find(job.ordinal);
    if (found == recorded.end()) {
      left.push_back(job);
    } else if (found->second.source != job.source || found->second.target != job.target) {
      return fail(ErrorCode::kMismatch, "holds another text for line " + std::to_string(job.ordinal + 1) +
                                            ": give the file and options that it was made with, or another --out");
    }
  }
  return left;
}

Result<TraceTotals> run_trace(const std::vector<TraceJob>& jobs, const Url& url, const trace::TraceHeader& header,
                              const TraceRunOptions& options, trace::TraceWriter& writer) {
  TraceTotals totals;
  Progress progress("trace");
  const auto work = static_cast<double>(tokens_of(jobs));
  std::uint64_t work_done = 0;
  // Answers are appended in the order of the file, so that equal arguments make equal traces.
  const auto take = [&](std::size_t index, trace::TracedSequence sequence) -> Result<void> {
    SIDA_TRY(writer.append(sequence));
    work_done += jobs[index].source.size() + jobs[index].target.size();
    ++totals.sequences;
    totals.tokens += sequence.source.size() + sequence.target.size();
    progress.show({.done = totals.sequences,
                   .total = jobs.size(),
                   .tokens = totals.tokens,
                   .share = static_cast<double>(work_done) / work});
    return {};
  };
  const auto stop = [&] {
    if (!totals.interrupted) totals.interrupted = poll_shutdown_signal();
    return totals.interrupted.has_value();
  };
  SIDA_TRY(ask_in_order<trace::TracedSequence>(
      jobs.size(), static_cast<std::size_t>(options.parallel),
      [&](std::size_t index) { return ask(jobs[index], url, header, options); }, take, stop));
  totals.elapsed = progress.elapsed();
  return totals;
}

}  // namespace sida::cli

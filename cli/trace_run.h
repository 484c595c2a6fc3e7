// Asks a router about every sequence and appends the answers to a trace.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/http_client.h"
#include "cli/progress.h"
#include "cli/trace_input.h"
#include "common/base/result.h"
#include "common/trace/trace_writer.h"

namespace sida::cli {

struct TraceRunOptions {
  std::int64_t parallel = 16;  // Sequences asked about at a time, which the router batches.
  std::int64_t new_tokens_max = 64;
  std::chrono::milliseconds timeout{600'000};  // Of one sequence.
};

struct TraceTotals {
  std::uint64_t sequences = 0;
  std::uint64_t tokens = 0;  // Of sources and targets.
  std::chrono::duration<double> elapsed{0};
  std::optional<std::string> interrupted;  // By which signal.
};

// The jobs that the trace does not hold yet. kMismatch when it holds another text under a job's ordinal.
Result<std::vector<TraceJob>> jobs_left(const std::vector<TraceJob>& jobs,
                                        const std::map<std::uint64_t, trace::TraceWriter::Recorded>& recorded);

// In the order of `jobs`. After SIGINT or SIGTERM (which the caller has blocked) what is under way is recorded and
// nothing further begun. The first error ends it; what came before is in the trace.
Result<TraceTotals> run_trace(const std::vector<TraceJob>& jobs, const Url& url, const trace::TraceHeader& header,
                              const TraceRunOptions& options, trace::TraceWriter& writer);

}  // namespace sida::cli

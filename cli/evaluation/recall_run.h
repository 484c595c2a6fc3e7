// Subjects over a whole trace.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/evaluation/recall.h"
#include "cli/evaluation/subject.h"
#include "cli/trace_input.h"
#include "common/base/result.h"
#include "common/trace/traced_sequence.h"

namespace sida::cli {

// What a trace holds, counted in one pass.
struct TraceSummary {
  std::string file;
  trace::TraceHeader header;
  std::uint64_t sequences = 0;
  std::uint64_t source_tokens = 0;
  std::uint64_t target_tokens = 0;
  std::uint64_t dropped = 0;                                 // (token, layer) pairs that capacity dropped.
  std::vector<std::vector<std::uint64_t>> tokens_by_expert;  // [layer][expert], encoder's layers first.
  std::vector<TraceJob> given;                               // The sequences with a target that was given.
};

// Errors: those of TraceReader.
Result<TraceSummary> summarise(const std::filesystem::path& trace);

// Each subject's recall. Reads the trace once, a few sequences at a time.
Result<std::vector<TaskRecall>> measure_recall(const std::filesystem::path& trace,
                                               const std::vector<Subject*>& subjects);

}  // namespace sida::cli

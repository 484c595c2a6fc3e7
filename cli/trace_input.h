// What `sida trace` runs: lines of a file, turned into token ids.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/span_corruption.h"
#include "common/base/result.h"
#include "common/tokenizer/tokenizer.h"

namespace sida::cli {

// One sequence to run.
struct TraceJob {
  std::uint64_t ordinal = 0;  // Line in the file, from 0.
  std::string task;
  std::vector<std::int32_t> source;
  std::vector<std::int32_t> target;  // Empty: the model writes it.
  bool operator==(const TraceJob&) const = default;
};

struct TraceInputOptions {
  std::string task;                      // Of lines that name none.
  std::int64_t source_tokens_max = 512;  // What is beyond is cut off, before the end token.
  std::int64_t target_tokens_max = 512;
  std::int64_t lines_max = 0;                     // 0: all.
  std::optional<SpanCorruption> span_corruption;  // Of lines without a target.
};

struct TraceInput {
  std::vector<TraceJob> jobs;
  std::uint64_t shortened = 0;  // Lines that lost tokens to the limits.
  std::uint64_t skipped = 0;    // Empty lines, and those too short to hide a span.
};

// `tokenizer` may be null; then every line must be JSON with token ids. `path`: "*.jsonl" holds one object per line:
// {"prompt" or "text", optional "target", "task"} as text, or "input_ids" and "target_ids", which are taken as they
// are; any other file holds one text per line. Errors: kNotFound, kIo; kInvalidArgument with the line named.
Result<TraceInput> read_trace_input(const std::filesystem::path& path, const tokenizer::Tokenizer* tokenizer,
                                    std::int32_t end_token, const TraceInputOptions& options);

}  // namespace sida::cli
